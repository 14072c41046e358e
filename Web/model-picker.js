// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { fetchModels } from "./api.js";
import { counted, element, setText } from "./element.js";

const CALM_INTERVAL_MS = 15_000;
const EAGER_INTERVAL_MS = 3_000;

/** The choice of model and its state, kept true by asking the server now and then while the page is looked at. */
export class ModelPicker {
    #session;
    #select;
    #state;
    #timer = 0;
    #problem = null;
    #hasAsked = false;

    /**
     * @param {import("./session.js").Session} session
     * @param {{select: HTMLSelectElement, state: HTMLElement}} elements
     */
    constructor(session, { select, state }) {
        this.#session = session;
        this.#select = select;
        this.#state = state;
        select.addEventListener("change", () => session.chooseModel(select.value));
        session.follow(["models", "model"], () => this.#render());
        document.addEventListener("visibilitychange", () => this.#schedule(0));
        this.#poll();
    }

    async #poll() {
        try {
            const models = await fetchModels();
            this.#problem = null;
            this.#hasAsked = true;
            this.#session.updateModels(models);
        } catch (problem) {
            this.#problem = problem;
        }
        this.#render();
        const isSettled = !this.#problem && this.#session.models.some(({ state }) => state === "ready")
            && !this.#session.models.some(({ state }) => state === "loading");
        this.#schedule(isSettled ? CALM_INTERVAL_MS : EAGER_INTERVAL_MS);
    }

    #schedule(delay) {
        clearTimeout(this.#timer);
        if (document.visibilityState === "visible") this.#timer = setTimeout(() => this.#poll(), delay);
    }

    #render() {
        this.#renderOptions();
        const { status, text } = this.#currentState();
        this.#state.dataset.state = status;
        setText(this.#state, text);
        this.#state.title = text;
    }

    /** Rebuilt only when something changed: an open drop-down would close under the person's hand. */
    #renderOptions() {
        const { models, modelName, model } = this.#session;
        const entries = models.map(({ name, state, reason }) => ({ name, state, reason }));
        if (modelName && !model) entries.push({ name: modelName, state: "gone" });
        const key = JSON.stringify(entries);
        if (this.#select.dataset.entries !== key) {
            this.#select.dataset.entries = key;
            this.#select.replaceChildren(...entries.map(option));
        }
        this.#select.value = modelName ?? "";
        this.#select.disabled = entries.length === 0;
    }

    #currentState() {
        const { model, modelName, models } = this.#session;
        if (this.#problem) return { status: "failed", text: this.#problem.title };
        if (model?.state === "ready") return { status: "ready", text: describe(model) };
        if (model?.state === "loading") return { status: "loading", text: "loading; pictures wait until it is ready" };
        if (model) return { status: "failed", text: model.reason || "failed to load" };
        if (modelName) return { status: "failed", text: "no longer served; choose another model" };
        if (!this.#hasAsked) return { status: "loading", text: "asking the server" };
        if (models.length === 0) return { status: "failed", text: "the server has no models yet" };
        return { status: "failed", text: whyNone(models) };
    }
}

function option({ name, state, reason }) {
    const made = element("option", {
        text: state === "ready" ? name : `${name} (${state})`,
        attributes: reason ? { value: name, title: reason } : { value: name },
        data: { state },
    });
    made.disabled = state === "failed" || state === "gone";
    return made;
}

/** The reason of the only model, or what is common to several. */
function whyNone(models) {
    if (models.length === 1 && models[0].reason) return `${models[0].name}: ${models[0].reason}`;
    return models.some(({ state }) => state === "loading") ? "no model is ready yet" : "no model can be served";
}

function describe({ task, classes, engine, device, queue }) {
    return [
        task,
        classes?.length ? counted(classes.length, "class", "classes") : "",
        engine && device ? `${engine} on ${device}` : engine,
        queue?.depth ? `${queue.depth} waiting` : "",
    ].filter(Boolean).join(" · ");
}

// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { findings } from "./api.js";
import { element, swatch } from "./element.js";

/** The classes seen in the current picture as chips: each shows its count and switches its boxes on and off. */
export class ClassChips {
    #session;
    #palette;
    #section;
    #list;
    #allButton;
    /** @type {Map<string, HTMLButtonElement>} */
    #chips = new Map();
    #renderedAnswer = null;

    /**
     * @param {import("./session.js").Session} session
     * @param {import("./palette.js").Palette} palette
     * @param {{section: HTMLElement, list: HTMLElement, allButton: HTMLButtonElement}} elements
     */
    constructor(session, palette, { section, list, allButton }) {
        this.#session = session;
        this.#palette = palette;
        this.#section = section;
        this.#list = list;
        this.#allButton = allButton;
        allButton.addEventListener("click", () => this.#toggleAll());
        session.follow(["current", "model", "outcome", "filter"], () => this.#render());
    }

    #render() {
        const answer = this.#session.outcome?.answer ?? null;
        if (answer !== this.#renderedAnswer) this.#renderChips(answer);
        const counts = this.#countsAtConfidence();
        const { hiddenLabels } = this.#session;
        for (const [label, chip] of this.#chips) {
            const count = counts.get(label) ?? 0;
            chip.parentElement.hidden = count === 0;
            chip.querySelector(".chip-count").textContent = count;
            chip.dataset.count = count;
            chip.setAttribute("aria-pressed", String(!hiddenLabels.has(label)));
        }
        this.#section.hidden = counts.size === 0;
        this.#allButton.hidden = counts.size < 2;
        this.#allButton.textContent = this.#hasHidden ? "Show all" : "Hide all";
    }

    get #hasHidden() {
        return [...this.#countsAtConfidence().keys()].some((label) => this.#session.hiddenLabels.has(label));
    }

    #countsAtConfidence() {
        const counts = new Map();
        for (const { label, score } of this.#session.detections()) {
            if (score >= this.#session.confidence) counts.set(label, (counts.get(label) ?? 0) + 1);
        }
        return counts;
    }

    /** One chip per class found at any confidence, in an order that does not change as the slider moves. */
    #renderChips(answer) {
        this.#renderedAnswer = answer;
        this.#chips = new Map();
        for (const detection of findings(answer)) {
            if (!this.#chips.has(detection.label)) this.#chips.set(detection.label, this.#chip(detection));
        }
        const items = Array.from(this.#chips.values(), (chip) => element("li", { children: [chip] }));
        this.#list.replaceChildren(...items);
    }

    #chip(detection) {
        const { label } = detection;
        const chip = element("button", {
            className: "chip",
            attributes: { type: "button", "aria-pressed": "true" },
            data: { label },
            children: [
                swatch(this.#palette.colour(detection)),
                element("span", { className: "chip-label", text: label }),
                element("span", { className: "chip-count" }),
            ],
        });
        chip.addEventListener("click", () => {
            this.#session.setLabelsVisible([label], this.#session.hiddenLabels.has(label));
        });
        return chip;
    }

    #toggleAll() {
        this.#session.setLabelsVisible([...this.#chips.keys()], this.#hasHidden);
    }
}

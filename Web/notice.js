// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { setText } from "./element.js";

/** What stands over the picture while there is no answer yet, and what went wrong when there never will be one. */
export class Notice {
    #session;
    #elements;

    /**
     * @param {import("./session.js").Session} session
     * @param {{status: HTMLElement, hint: HTMLElement, problem: HTMLElement, title: HTMLElement, detail: HTMLElement,
     *   code: HTMLElement, retryButton: HTMLButtonElement, removeButton: HTMLButtonElement}} elements
     */
    constructor(session, elements) {
        this.#session = session;
        this.#elements = elements;
        elements.retryButton.addEventListener("click", () => session.retry(session.current));
        elements.removeButton.addEventListener("click", () => session.remove(session.current));
        session.follow(["current", "models", "model", "outcome"], () => this.#render());
    }

    #render() {
        const { status, hint } = this.#elements;
        const outcome = this.#session.outcome;
        status.dataset.status = outcome?.status ?? "";
        setText(status, this.#statusText(outcome));
        setText(hint, this.#hintText(outcome));
        this.#renderProblem(outcome?.status === "failed" ? outcome.problem : null);
    }

    #statusText(outcome) {
        const { current, model } = this.#session;
        switch (outcome?.status) {
            case "listed": return "Its turn comes with its folder";
            case "running": return "Looking…";
            case "waiting": return "The server is busy; trying again on its own";
            case "queued":
                if (!current.file) return "The picture is gone, and this model did not see it";
                return model?.state === "ready" ? "In line" : "Waiting for a model";
            default: return "";
        }
    }

    #hintText(outcome) {
        const { current } = this.#session;
        if (current?.isViewable !== false || outcome?.status !== "done") return "";
        if (!current.file) return "The picture went with the reload of the page. Add its folder again to see it.";
        return "This browser can’t show this kind of picture. The boxes stand where the server found them.";
    }

    #renderProblem(problem) {
        const { problem: card, title, detail, code, retryButton, removeButton } = this.#elements;
        card.hidden = problem === null;
        if (!problem) return;
        const { current, pictures } = this.#session;
        retryButton.hidden = !current.file;
        removeButton.hidden = !pictures.includes(current);
        setText(title, problem.title);
        setText(detail, problem.detail);
        // Codes that the page gave itself say nothing that the words don't; the server's are worth reporting.
        setText(code, problem.status ? [problem.status, problem.code].filter(Boolean).join(" · ") : "");
    }
}

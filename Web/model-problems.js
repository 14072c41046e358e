// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { counted, element, setText } from "./element.js";

/** The models whose files can't be loaded, with the reasons: what the operator of the server has to mend. */
export class ModelProblems {
    #session;
    #box;

    /**
     * @param {import("./session.js").Session} session
     * @param {HTMLDetailsElement} box
     */
    constructor(session, box) {
        this.#session = session;
        this.#box = box;
        session.follow(["models"], () => this.#render());
    }

    #render() {
        const problems = this.#session.models.filter(({ reason }) => reason);
        this.#box.hidden = problems.length === 0;
        if (problems.length === 0) return;
        setText(this.#box.querySelector("summary"), summary(problems));
        // Rebuilt only when something changed: what a person has selected would be lost.
        const key = JSON.stringify(problems.map(({ name, state, reason }) => [name, state, reason]));
        if (this.#box.dataset.entries === key) return;
        this.#box.dataset.entries = key;
        this.#box.querySelector("ul").replaceChildren(...problems.map(entry));
    }
}

function summary(problems) {
    const failed = problems.filter(({ state }) => state !== "ready").length;
    if (failed > 0) return `${counted(failed, "model")} can’t be served`;
    return `${counted(problems.length, "model")} with a problem`;
}

function entry({ name, state, reason }) {
    const isServed = state === "ready";
    return element("li", {
        data: { model: name, state },
        children: [
            element("strong", { text: name }),
            element("span", { text: isServed ? " (answers all the same) " : " " }),
            element("span", { className: "model-reason", text: reason }),
        ],
    });
}

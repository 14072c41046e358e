// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { element } from "./element.js";

const STEPS = [
    { key: "queue_ms", name: "Queue" },
    { key: "decode_ms", name: "Decoding" },
    { key: "inference_ms", name: "Inference" },
    { key: "postprocess_ms", name: "Post-processing" },
];

/** Where the time of the current picture went, as a bar and in numbers. */
export class Timings {
    #session;
    #section;
    #bar;
    #whole;
    #list;
    #renderedAnswer = null;

    /**
     * @param {import("./session.js").Session} session
     * @param {{section: HTMLElement, bar: HTMLElement, whole: HTMLElement, list: HTMLElement}} elements
     */
    constructor(session, { section, bar, whole, list }) {
        this.#session = session;
        this.#section = section;
        this.#bar = bar;
        this.#whole = whole;
        this.#list = list;
        session.follow(["current", "model", "outcome"], () => this.#render());
    }

    #render() {
        const outcome = this.#session.outcome;
        const answer = outcome?.answer ?? null;
        this.#section.hidden = !answer?.timing;
        if (!answer?.timing || answer === this.#renderedAnswer) return;
        this.#renderedAnswer = answer;
        const steps = STEPS.filter(({ key }) => key in answer.timing)
            .map(({ key, name }) => ({ key, name, duration: answer.timing[key] }));
        const known = steps.reduce((sum, { duration }) => sum + duration, 0);
        // A folder's pictures travel together: only what the server did is known of each.
        const isSeenHere = outcome.wholeMs !== undefined;
        const whole = outcome.wholeMs ?? known;
        if (isSeenHere) {
            steps.push({ key: "transfer_ms", name: "Transfer and the rest", duration: Math.max(0, whole - known) });
        }
        this.#whole.textContent = formatDuration(whole);
        this.#bar.replaceChildren(...steps.map(segment));
        this.#list.replaceChildren(
            ...steps.flatMap(entry),
            ...entry({ key: "whole_ms", name: isSeenHere ? "Whole, as seen here" : "Whole", duration: whole }),
        );
    }
}

function segment({ key, name, duration }) {
    const title = `${name}: ${formatDuration(duration)}`;
    const made = element("span", { data: { step: key }, attributes: { title } });
    made.style.flexGrow = duration;
    return made;
}

function entry({ key, name, duration }) {
    return [
        element("dt", { text: name, data: { step: key } }),
        element("dd", { text: formatDuration(duration), data: { step: key } }),
    ];
}

function formatDuration(milliseconds) {
    if (milliseconds >= 10_000) return `${(milliseconds / 1000).toFixed(1)} s`;
    return `${milliseconds.toFixed(milliseconds < 100 ? 1 : 0)} ms`;
}

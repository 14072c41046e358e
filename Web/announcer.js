// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { counted, formatScore } from "./element.js";

const TOAST_MS = 2_400;
const QUIET_MS = 350;

/** Says what happened: to screen readers through a live region, and, where everyone needs it, as a passing note. */
export class Announcer {
    #session;
    #region;
    #toast;
    #toastTimer = 0;
    #sayTimer = 0;

    /**
     * @param {import("./session.js").Session} session
     * @param {{region: HTMLElement, toast: HTMLElement}} elements
     */
    constructor(session, { region, toast }) {
        this.#session = session;
        this.#region = region;
        this.#toast = toast;
        session.addEventListener("outcome", ({ detail }) => detail === session.current && this.#sayOutcome());
        for (const event of ["current", "filter"]) session.addEventListener(event, () => this.#sayOutcome());
    }

    /** For screen readers only; of several in quick succession, the last one is said. */
    say(text) {
        clearTimeout(this.#sayTimer);
        this.#sayTimer = setTimeout(() => (this.#region.textContent = text), QUIET_MS);
    }

    /** For everyone, for a moment. */
    show(text) {
        this.say(text);
        this.#toast.textContent = text;
        this.#toast.hidden = false;
        clearTimeout(this.#toastTimer);
        this.#toastTimer = setTimeout(() => (this.#toast.hidden = true), TOAST_MS);
    }

    #sayOutcome() {
        const { current, outcome, confidence } = this.#session;
        if (outcome?.status === "done") {
            const count = counted(this.#session.shown().length, "detection");
            this.say(`${current.name}: ${count} at ${formatScore(confidence)} or above`);
        } else if (outcome?.status === "failed") {
            this.say(`${current.name} failed. ${outcome.problem.title}. ${outcome.problem.detail}`);
        }
    }
}

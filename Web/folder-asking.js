// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { predict } from "./api.js";
import { bytesOf } from "./folder-sending.js";

const REQUESTS_IN_FLIGHT = 4;
const ATTEMPTS = 8;
const FIRST_PAUSE_SECONDS = 1;
const LONGEST_PAUSE_SECONDS = 30;

/** Asks for a folder's pictures one by one, for a server that keeps no jobs. */
export class FolderAsker {
    #folder;
    #inFlight = 0;
    #isStopped = false;
    #pausedUntil = 0;
    #wakeUp = 0;

    /** @param {import("./folder.js").Folder} folder */
    constructor(folder) {
        this.#folder = folder;
    }

    /** Asks for what waits, as far as there is room. */
    askMore() {
        if (this.#isStopped || this.#folder.isPaused || performance.now() < this.#pausedUntil) return;
        while (this.#inFlight < REQUESTS_IN_FLIGHT) {
            const [picture] = this.#folder.takeWaiting((_, taken) => taken.length === 0);
            if (!picture) return;
            this.#ask(picture);
        }
    }

    /** Ends the asking; answers that are under way are not waited for. */
    stop() {
        this.#isStopped = true;
        clearTimeout(this.#wakeUp);
        this.#folder.setNote("asking", "");
    }

    async #ask(picture) {
        const folder = this.#folder;
        this.#inFlight += 1;
        picture.attempts += 1;
        folder.setStatus(picture, "asking");
        try {
            const bytes = await bytesOf(picture);
            const answer = await predict(folder.modelName, bytes, { confidence: folder.confidence });
            if (!this.#isStopped) {
                folder.setNote("asking", "");
                folder.finish(picture, answer);
            }
        } catch (problem) {
            if (!this.#isStopped) this.#handle(problem, picture);
        }
        this.#inFlight -= 1;
        this.askMore();
    }

    #handle(problem, picture) {
        const folder = this.#folder;
        const isLocal = problem.code === "unreadable_file" || problem.code === "empty_file";
        if (isLocal || !problem.isPassing || picture.attempts >= ATTEMPTS) {
            folder.fail(picture, problem);
            return;
        }
        folder.putBack([picture]);
        const growing = FIRST_PAUSE_SECONDS * 2 ** (picture.attempts - 1);
        const seconds = Math.min(problem.retryAfterSeconds ?? growing, LONGEST_PAUSE_SECONDS);
        this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + seconds * 1000);
        folder.setNote("asking", `${problem.title}. It goes on by itself in ${Math.ceil(seconds)} s.`);
        clearTimeout(this.#wakeUp);
        this.#wakeUp = setTimeout(() => this.askMore(), this.#pausedUntil - performance.now() + 20);
    }
}

// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { predict } from "./api.js";

const REQUESTS_IN_FLIGHT = 2;
const ATTEMPTS = 8;
const FIRST_PAUSE_SECONDS = 2;
const LONGEST_PAUSE_SECONDS = 60;

/**
 * Sends the session's pictures to the current model: the one looked at first, then in order, few at a time. When the
 * server says that it is busy, the whole line pauses as long as it asked for, since one more picture would be turned
 * away just the same.
 */
export class Dispatcher {
    #session;
    #inFlight = 0;
    #pausedUntil = 0;
    #wakeUp = 0;

    /** @param {import("./session.js").Session} session */
    constructor(session) {
        this.#session = session;
        session.follow(["pictures", "current", "models", "model", "outcome"], () => this.#sendMore());
    }

    #sendMore() {
        if (performance.now() < this.#pausedUntil) return;
        while (this.#inFlight < REQUESTS_IN_FLIGHT && this.#session.model?.state === "ready") {
            const picture = this.#nextPicture();
            if (!picture) return;
            this.#send(picture, this.#session.modelName);
        }
    }

    #nextPicture() {
        const { current, pictures, modelName } = this.#session;
        const isUnsent = (picture) =>
            picture?.file && ["queued", "waiting"].includes(picture.outcome(modelName).status);
        return isUnsent(current) ? current : pictures.find(isUnsent);
    }

    async #send(picture, modelName) {
        const session = this.#session;
        const outcome = picture.outcome(modelName);
        outcome.status = "running";
        outcome.attempts += 1;
        this.#inFlight += 1;
        session.outcomeChanged(picture);
        const start = performance.now();
        try {
            outcome.answer = await predict(modelName, picture.file, { confidence: session.askedConfidence });
            outcome.answer.detections?.sort((one, other) => other.score - one.score);
            outcome.wholeMs = performance.now() - start;
            outcome.problem = undefined;
            outcome.status = "done";
        } catch (problem) {
            outcome.problem = problem;
            outcome.status = problem.isBusy && outcome.attempts < ATTEMPTS ? "waiting" : "failed";
            if (outcome.status === "waiting") this.#pause(problem.retryAfterSeconds ?? growingPause(outcome.attempts));
        }
        this.#inFlight -= 1;
        session.outcomeChanged(picture);
    }

    #pause(seconds) {
        const milliseconds = Math.min(seconds, LONGEST_PAUSE_SECONDS) * 1000;
        this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + milliseconds);
        clearTimeout(this.#wakeUp);
        // Timers may fire a hair early, which would find the pause not yet over and sleep forever.
        const delay = this.#pausedUntil - performance.now() + 20;
        this.#wakeUp = setTimeout(() => this.#sendMore(), delay);
    }
}

function growingPause(attempts) {
    return FIRST_PAUSE_SECONDS * 2 ** (attempts - 1);
}

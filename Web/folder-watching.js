// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { ServerProblem } from "./api.js";
import { eventsAddress, fetchJob } from "./jobs.js";

/**
 * Browsers keep six connections to a server of HTTP/1.1: two are for these, two for sending, and two are left for what
 * the person does meanwhile.
 */
const JOBS_WATCHED = 2;

const MOST_RESULTS = 500;
const SHORTEST_WAIT_SECONDS = 1;
const LONGEST_WAIT_SECONDS = 15;

/** A stream that broke so often in a row is given up, and asked for results instead. */
const STREAM_ATTEMPTS = 4;

/** Something between here and the server may hold a stream back; after so long without a word, that is looked into. */
const QUIET_MS = 20_000;

/** Takes the results of a folder's jobs as they come, the oldest jobs first. */
export class FolderWatcher {
    #folder;
    /** @type {Set<JobWatch>} */
    #watches = new Set();
    #next = 0;
    #isStopped = false;
    #streamsWork = typeof EventSource !== "undefined";

    /** @param {import("./folder.js").Folder} folder */
    constructor(folder) {
        this.#folder = folder;
        folder.addEventListener("job", () => this.#watchMore());
        this.#watchMore();
    }

    stop() {
        this.#isStopped = true;
        for (const watch of this.#watches) watch.stop();
        this.#watches.clear();
        this.#folder.setNote("watching", "");
    }

    #watchMore() {
        if (this.#isStopped) return;
        while (this.#watches.size < JOBS_WATCHED && this.#next < this.#folder.jobs.length) {
            const job = this.#folder.jobs[this.#next];
            this.#next += 1;
            if (job.isDone || job.isGone) continue;
            const watch = new JobWatch(job, {
                onResult: (result) => this.#take(job, result),
                onEnd: (end) => this.#end(watch, job, end),
                onNote: (text) => this.#folder.setNote("watching", text),
                onStreamFailure: () => (this.#streamsWork = false),
            });
            this.#watches.add(watch);
            watch.start(this.#streamsWork);
        }
    }

    #take(job, { sequence, picture, file, error, ...answer }) {
        if (sequence <= job.sequence) return;
        job.sequence = sequence;
        const answered = job.pictureOf({ picture, file });
        if (!answered) return;
        if (error) this.#folder.fail(answered, new ServerProblem(error));
        else this.#folder.finish(answered, { id: job.id, model: this.#folder.modelName, ...answer });
    }

    /** What has no result by now will have none. */
    #end(watch, job, { problem, description }) {
        job.isDone = true;
        job.isGone = problem !== undefined;
        job.expires = description?.expires;
        const why = problem ?? new ServerProblem({
            title: "The server gave no result for this picture",
            detail: "It may be something else than its name says.",
            code: "no_result",
        });
        for (const picture of job.pictures) {
            if (picture.job === job && !picture.hasEnded) this.#folder.fail(picture, why);
        }
        this.#watches.delete(watch);
        this.#watchMore();
    }
}

/** Watches one job: by a stream of events, or, where that does not work, by asking now and then. */
class JobWatch {
    #job;
    #handlers;
    /** @type {EventSource | null} */
    #source = null;
    #failures = 0;
    #hasGivenUpStream = false;
    #timer = 0;
    #isStopped = false;

    /**
     * @param {import("./folder.js").Job} job
     * @param {{onResult: (result: import("./jobs.js").JobResult) => void,
     *   onEnd: (end: {problem?: ServerProblem, description?: import("./jobs.js").Job}) => void,
     *   onNote: (text: string) => void, onStreamFailure: () => void}} handlers
     */
    constructor(job, handlers) {
        this.#job = job;
        this.#handlers = handlers;
    }

    /** @param {boolean} usesStream */
    start(usesStream) {
        if (usesStream) this.#listen();
        else this.#ask();
    }

    stop() {
        this.#isStopped = true;
        this.#closeStream();
        clearTimeout(this.#timer);
    }

    #listen() {
        // A stream that breaks comes again by itself, and then says itself where it goes on (`Last-Event-ID`).
        const source = new EventSource(eventsAddress(this.#job.id, this.#job.sequence));
        this.#source = source;
        source.addEventListener("result", ({ data }) => {
            this.#lives();
            this.#handlers.onResult(JSON.parse(data));
        });
        source.addEventListener("done", ({ data }) => this.#end({ description: JSON.parse(data) }));
        source.addEventListener("gone", ({ data }) => {
            const title = "The server has this job no longer";
            this.#end({ problem: new ServerProblem({ title, ...JSON.parse(data) }) });
        });
        source.addEventListener("open", () => this.#handlers.onNote(""));
        source.addEventListener("error", () => this.#streamBroke());
        this.#waitForWord();
    }

    #lives() {
        this.#failures = 0;
        this.#waitForWord();
    }

    #waitForWord() {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#lookBehindStream(), QUIET_MS);
    }

    #streamBroke() {
        this.#failures += 1;
        const isRefused = this.#source.readyState === EventSource.CLOSED;
        if (!isRefused && this.#failures < STREAM_ATTEMPTS) {
            this.#handlers.onNote("The connection broke; it is being made again.");
            return;
        }
        this.#giveUpStream();
    }

    /** Nothing came for a while. That may be so, or the stream is held back somewhere: the answer tells. */
    async #lookBehindStream() {
        const known = this.#job.sequence;
        try {
            const { next } = await fetchJob(this.#job.id, { after: known, limit: 1 });
            if (this.#source === null || this.#isStopped) return;
            if (next > known && this.#job.sequence === known) this.#giveUpStream();
            else this.#waitForWord();
        } catch (problem) {
            if (this.#source === null || this.#isStopped) return;
            if (problem.status === 404) this.#end({ problem });
            else this.#waitForWord();
        }
    }

    #giveUpStream() {
        this.#closeStream();
        this.#hasGivenUpStream = true;
        clearTimeout(this.#timer);
        this.#failures = 0;
        this.#ask();
    }

    #closeStream() {
        this.#source?.close();
        this.#source = null;
    }

    async #ask() {
        let wait = SHORTEST_WAIT_SECONDS;
        const range = { after: this.#job.sequence, limit: MOST_RESULTS };
        try {
            const { results, next, ...description } = await fetchJob(this.#job.id, range);
            if (this.#isStopped) return;
            this.#failures = 0;
            this.#handlers.onNote("");
            // Only now it is sure that the stream is to blame: the job is there, and the server answers.
            if (this.#hasGivenUpStream) this.#handlers.onStreamFailure();
            for (const result of results) this.#handlers.onResult(result);
            if (description.state === "done" && next >= description.pictures.done) {
                this.#end({ description });
                return;
            }
            if (results.length > 0) wait = 0;
        } catch (problem) {
            if (this.#isStopped) return;
            if (problem.status === 404) {
                this.#end({ problem });
                return;
            }
            this.#failures += 1;
            const growing = SHORTEST_WAIT_SECONDS * 2 ** Math.min(this.#failures, 10);
            wait = Math.min(problem.retryAfterSeconds ?? growing, LONGEST_WAIT_SECONDS);
            this.#handlers.onNote(`${problem.title}. Results are asked for again in ${Math.ceil(wait)} s.`);
        }
        this.#timer = setTimeout(() => this.#ask(), wait * 1000);
    }

    #end(end) {
        this.stop();
        this.#handlers.onNote("");
        this.#handlers.onEnd(end);
    }
}

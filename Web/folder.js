// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { ServerProblem, findings } from "./api.js";
import { byPath } from "./gathering.js";

/**
 * Where a picture of a folder is: here, on its way to the server, there, or at its end.
 * @typedef {"waiting" | "uploading" | "uploaded" | "asking" | "done" | "failed" | "cancelled"} Status
 */

const ENDS = new Set(["done", "failed", "cancelled"]);

/** One picture of a folder. Its answer is kept packed away: ten thousand of them unpacked would fill the memory. */
export class FolderPicture {
    /** @type {Status} */
    status = "waiting";
    /** @type {ServerProblem | null} */
    problem = null;
    /** @type {Job | null} the job that is to answer it */
    job = null;
    /** How often the server was asked for it alone. */
    attempts = 0;
    /** @type {Blob | null} */
    #answer = null;
    /** The class and the score of everything found, best first: enough to count without unpacking. */
    #labels = [];
    #scores = new Float32Array(0);

    /**
     * @param {number} number its place in the folder, from 0
     * @param {string} name its path, which no other one has
     * @param {File | import("./archive.js").ArchivedFile | null} file null where only its results are left
     */
    constructor(number, name, file) {
        this.number = number;
        this.name = name;
        this.file = file;
    }

    /** True once nothing more is to come. */
    get hasEnded() {
        return ENDS.has(this.status);
    }

    /** @param {import("./api.js").Answer} answer */
    keep(answer) {
        answer.detections?.sort((one, other) => other.score - one.score);
        const found = findings(answer);
        this.#answer = new Blob([JSON.stringify(answer)]);
        this.#labels = found.map(({ label }) => label);
        this.#scores = Float32Array.from(found, ({ score }) => score);
    }

    /** @returns {Promise<import("./api.js").Answer | null>} */
    async answer() {
        return this.#answer && JSON.parse(await this.#answer.text());
    }

    /**
     * How many of each class pass a filter, in the order of their best scores.
     * @param {{confidence: number, hiddenLabels: Set<string>}} filter
     * @returns {Map<string, number>}
     */
    counts({ confidence, hiddenLabels }) {
        const counts = new Map();
        // Scores have lost digits here; so must what they are held against, or 0.6 would be below 0.6.
        const lowest = Math.fround(confidence);
        for (let index = 0; index < this.#scores.length && this.#scores[index] >= lowest; index += 1) {
            const label = this.#labels[index];
            if (!hiddenLabels.has(label)) counts.set(label, (counts.get(label) ?? 0) + 1);
        }
        return counts;
    }
}

/**
 * Many pictures that one model is to answer: a folder, a zip, or more files than anybody looks at one by one. It holds
 * how far each has come; who sends and who watches tell it, who draws listens.
 *
 * Events: `change` (a picture, a count or a note), `pictures` (some were added), `job` (detail: one was accepted),
 * `end` (nothing more is to come).
 */
export class Folder extends EventTarget {
    /** @type {FolderPicture[]} */
    pictures = [];
    /** @type {Job[]} in the order in which the server accepted them */
    jobs = [];
    /** @type {Record<Status, number>} */
    counts = { waiting: 0, uploading: 0, uploaded: 0, asking: 0, done: 0, failed: 0, cancelled: 0 };
    /** Files that are no pictures. */
    passedOver = 0;
    isPaused = false;
    /** False where the server keeps no jobs, so that each picture is asked for alone. */
    usesJobs = true;
    /** Pictures of an earlier visit that never left the browser. */
    lost = 0;
    started = performance.now();
    /** When the last picture came to its end; `null` while some are to come. */
    ended = null;
    #notes = new Map();
    #byName = new Map();
    /** @type {FolderPicture[]} those to be sent; taken from `#nextWaiting` on */
    #waiting = [];
    #nextWaiting = 0;

    /**
     * @param {{name: string, modelName: string, confidence: number}} order what is asked of which model
     */
    constructor({ name, modelName, confidence }) {
        super();
        this.name = name;
        this.modelName = modelName;
        this.confidence = confidence;
    }

    /** Pictures that are still to come to their end. */
    get remaining() {
        const { waiting, uploading, uploaded, asking } = this.counts;
        return waiting + uploading + uploaded + asking;
    }

    /** Pictures that would be lost with the page. */
    get unsent() {
        const { waiting, uploading, asking } = this.counts;
        return waiting + uploading + asking;
    }

    /** What stands in the way right now, in words; empty when nothing does. */
    get note() {
        return [...this.#notes.values()].join(" ");
    }

    /**
     * Adds pictures. One whose results are known from before the page was loaded anew gets its file back; one that is
     * in the list already is not added again; another one of the same name is told apart by a number.
     * @param {import("./gathering.js").NamedFile[]} files
     * @returns {{added: number, found: number, known: number}}
     */
    add(files) {
        const outcome = { added: 0, found: 0, known: 0 };
        for (const { name, file } of files) {
            const namesake = this.#byName.get(name);
            if (namesake && !namesake.file) {
                namesake.file = file;
                outcome.found += 1;
            } else if (namesake && isSame(namesake.file, file)) {
                outcome.known += 1;
            } else {
                this.#waiting.push(this.#append(this.#freeName(name), file));
                outcome.added += 1;
            }
        }
        if (outcome.added > 0) this.#resume();
        this.lost = Math.max(0, this.lost - outcome.added);
        this.#announce("pictures");
        return outcome;
    }

    /**
     * Takes up jobs that were accepted before the page was loaded anew. Their pictures have no files any more.
     * @param {{id: string, total: number, names: string[]}[]} jobs
     */
    takeUp(jobs) {
        // A picture that was sent again is in two jobs, and parcels need not arrive in the order of the list.
        const names = new Set(jobs.flatMap((job) => job.names));
        for (const name of [...names].sort(byPath)) this.#append(name, null);
        for (const { id, total, names } of jobs) {
            this.accept({ id, pictures: { total } }, names.map((name) => this.#byName.get(name)));
        }
    }

    /**
     * Takes the next pictures that are to be sent out of the line.
     * @param {(picture: FolderPicture, taken: FolderPicture[]) => boolean} fits
     */
    takeWaiting(fits) {
        const taken = [];
        while (this.#nextWaiting < this.#waiting.length) {
            const picture = this.#waiting[this.#nextWaiting];
            if (picture.status === "waiting") {
                if (!fits(picture, taken)) break;
                taken.push(picture);
            }
            this.#nextWaiting += 1;
        }
        if (this.#nextWaiting === this.#waiting.length) {
            this.#waiting = [];
            this.#nextWaiting = 0;
        }
        return taken;
    }

    /** Puts pictures back at the head of the line. */
    putBack(pictures) {
        this.#waiting = [...pictures, ...this.#waiting.slice(this.#nextWaiting)];
        this.#nextWaiting = 0;
        for (const picture of pictures) this.#move(picture, "waiting");
    }

    /** Puts what failed or was cancelled in the line again, as far as its files are at hand. */
    retry() {
        const again = this.retriable;
        for (const picture of again) {
            picture.problem = null;
            picture.job = null;
            picture.attempts = 0;
            this.#move(picture, "waiting");
            this.#waiting.push(picture);
        }
        this.isPaused = false;
        this.#resume();
        return again.length;
    }

    get retriable() {
        return this.pictures.filter(({ status, file }) => (status === "failed" || status === "cancelled") && file);
    }

    /**
     * @param {FolderPicture} picture
     * @param {Status} status
     */
    setStatus(picture, status) {
        this.#move(picture, status);
    }

    /** The server keeps the pictures, and will answer them. */
    accept(description, pictures) {
        const job = new Job(description, pictures);
        this.jobs.push(job);
        for (const picture of pictures) {
            picture.job = job;
            this.#move(picture, "uploaded");
        }
        this.#announce("job", job);
    }

    /**
     * @param {FolderPicture} picture
     * @param {import("./api.js").Answer} answer
     */
    finish(picture, answer) {
        picture.keep(answer);
        picture.problem = null;
        this.#move(picture, "done");
    }

    /**
     * @param {FolderPicture} picture
     * @param {ServerProblem} problem
     */
    fail(picture, problem) {
        picture.problem = problem;
        this.#move(picture, "failed");
    }

    /** Ends everything that has not come to its end. */
    cancel() {
        this.#waiting = [];
        this.#nextWaiting = 0;
        this.#notes.clear();
        for (const picture of this.pictures) if (!picture.hasEnded) this.#move(picture, "cancelled");
    }

    /** @param {boolean} isPaused */
    pause(isPaused) {
        this.isPaused = isPaused;
        this.#announce("change");
    }

    /**
     * Says what stands in the way, by who says it; an empty text takes it back.
     * @param {string} source
     * @param {string} text
     */
    setNote(source, text) {
        if ((this.#notes.get(source) ?? "") === text) return;
        if (text) this.#notes.set(source, text);
        else this.#notes.delete(source);
        this.#announce("change");
    }

    #freeName(name) {
        const [, stem, ending] = /^(.*?)(\.[^./]*)?$/s.exec(name);
        let free = name;
        for (let number = 2; this.#byName.has(free); number += 1) free = `${stem} (${number})${ending ?? ""}`;
        return free;
    }

    #append(name, file) {
        const picture = new FolderPicture(this.pictures.length, name, file);
        this.pictures.push(picture);
        this.#byName.set(name, picture);
        this.counts.waiting += 1;
        return picture;
    }

    #resume() {
        if (this.ended !== null) this.started = performance.now();
        this.ended = null;
        this.#announce("change");
    }

    #move(picture, status) {
        if (picture.status === status) return;
        this.counts[picture.status] -= 1;
        this.counts[status] += 1;
        picture.status = status;
        this.#announce("change");
        if (this.remaining > 0 || this.ended !== null) return;
        this.ended = performance.now();
        this.#announce("end");
    }

    #announce(event, detail) {
        this.dispatchEvent(new CustomEvent(event, { detail }));
    }
}

/** A job of the server, and the pictures that it answers. */
export class Job {
    /** The last result that has come. */
    sequence = 0;
    isDone = false;
    /** True once the server has it no longer. */
    isGone = false;

    /**
     * @param {{id: string, pictures?: {total: number}}} description
     * @param {FolderPicture[]} pictures in the order in which they were sent
     */
    constructor({ id, pictures: counts, expires }, pictures) {
        this.id = id;
        this.pictures = pictures;
        this.total = counts?.total ?? pictures.length;
        /** When the server forgets it, once it is done. */
        this.expires = expires;
    }

    /**
     * The picture that a result is about; undefined where it is none that this job is still to answer.
     * @param {import("./jobs.js").JobResult} result
     */
    pictureOf({ picture: place, file }) {
        // A file that the server took for a zip became several pictures: then places mean nothing, but names do.
        const isInPlace = this.total === this.pictures.length;
        const picture = isInPlace ? this.pictures[place] : this.pictures.find(({ name }) => name === file);
        return picture?.job === this && !picture.hasEnded ? picture : undefined;
    }
}

function isSame(one, other) {
    return one.size === other.size && one.lastModified === other.lastModified;
}

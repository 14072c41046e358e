// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { ServerProblem } from "./api.js";
import { typeOf } from "./gathering.js";
import { deleteJob, orderJob } from "./jobs.js";

/** What is sent at one time. The speed of the line decides how many bytes: they must be there within the server's time. */
const MOST_PICTURES = 32;
const FIRST_BYTES = 8 << 20;
const LEAST_BYTES = 1 << 20;
const MOST_BYTES = 24 << 20;
const UPLOAD_SECONDS = 8;

/** An upload that fails after so long was not turned away, but given up: less may get through. */
const SLOW_SECONDS = 15;

const UPLOADS_IN_FLIGHT = 2;
const FIRST_PAUSE_SECONDS = 1;
const LONGEST_PAUSE_SECONDS = 30;

/** So often what may pass is tried before it is taken for lasting: a store of jobs in trouble, an answer in pieces. */
const ATTEMPTS_AT_JOBS = 4;

/**
 * Pictures that go together, under a key that makes sending them again harmless.
 * @typedef {{pictures: import("./folder.js").FolderPicture[], key: string, attempts: number}} Parcel
 */

/** Sends a folder's pictures to the server as jobs, a parcel at a time. */
export class FolderSender {
    #folder;
    #onWithoutJobs;
    /** @type {Parcel[]} those that did not get through */
    #again = [];
    #inFlight = 0;
    #mostBytes = FIRST_BYTES;
    #isStopped = false;
    /** True once the pictures are asked for one by one: what is still under way arrives, nothing more is sent. */
    #isReplaced = false;
    #pausedUntil = 0;
    #wakeUp = 0;

    /**
     * @param {import("./folder.js").Folder} folder
     * @param {{onWithoutJobs: () => void}} handlers `onWithoutJobs`: the server keeps none
     */
    constructor(folder, { onWithoutJobs }) {
        this.#folder = folder;
        this.#onWithoutJobs = onWithoutJobs;
    }

    /** Sends what waits, as far as there is room. */
    sendMore() {
        const folder = this.#folder;
        if (this.#isStopped || this.#isReplaced || folder.isPaused || performance.now() < this.#pausedUntil) return;
        while (this.#inFlight < UPLOADS_IN_FLIGHT) {
            const parcel = this.#again.shift() ?? this.#pack();
            if (!parcel) return;
            this.#send(parcel);
        }
    }

    /** Ends the sending. What is under way still arrives, and is taken back then. */
    stop() {
        this.#isStopped = true;
        this.#again = [];
        clearTimeout(this.#wakeUp);
        this.#folder.setNote("sending", "");
    }

    #pack() {
        let bytes = 0;
        const pictures = this.#folder.takeWaiting(({ file }, taken) => {
            bytes += file.size;
            return taken.length === 0 || (taken.length < MOST_PICTURES && bytes <= this.#mostBytes);
        });
        return pictures.length > 0 ? parcelOf(pictures) : null;
    }

    async #send(parcel) {
        const folder = this.#folder;
        this.#inFlight += 1;
        for (const picture of parcel.pictures) folder.setStatus(picture, "uploading");
        const start = performance.now();
        try {
            const readable = await this.#open(parcel);
            if (readable.length > 0) await this.#order(parcel, readable);
        } catch (problem) {
            if (!this.#isStopped) this.#handle(problem, parcel, (performance.now() - start) / 1000);
        }
        this.#inFlight -= 1;
        this.sendMore();
    }

    /** The parcel's bytes. Pictures that can't be read here fail on their own, and leave the parcel. */
    async #open(parcel) {
        const opened = [];
        for (const picture of parcel.pictures) {
            try {
                opened.push({ name: picture.name, bytes: await bytesOf(picture) });
            } catch (problem) {
                this.#folder.fail(picture, problem);
            }
        }
        if (opened.length === parcel.pictures.length) return opened;
        parcel.pictures = parcel.pictures.filter(({ hasEnded }) => !hasEnded);
        // Another order needs another key.
        parcel.key = newKey();
        return opened;
    }

    async #order(parcel, pictures) {
        const { modelName, confidence } = this.#folder;
        const start = performance.now();
        const job = await orderJob(modelName, pictures, { confidence, key: parcel.key });
        const bytesInTime = (sizeOf(pictures) * UPLOAD_SECONDS * 1000) / Math.max(1, performance.now() - start);
        this.#mostBytes = Math.max(LEAST_BYTES, Math.min(bytesInTime, MOST_BYTES));
        if (this.#isStopped) {
            await deleteJob(job.id).catch(() => {});
            return;
        }
        this.#folder.setNote("sending", "");
        this.#folder.accept(job, parcel.pictures);
    }

    #handle(problem, parcel, seconds) {
        const folder = this.#folder;
        parcel.attempts += 1;
        if (this.#isReplaced || this.#isWithoutJobs(problem, parcel)) {
            this.#isReplaced = true;
            folder.setNote("sending", "");
            folder.putBack([parcel, ...this.#again.splice(0)].flatMap(({ pictures }) => pictures));
            this.#onWithoutJobs();
        } else if (problem.code === "model_not_found" || problem.code === "model_broken") {
            this.#keep(parcel);
            folder.pause(true);
            folder.setNote("sending", `${problem.title}: ${problem.detail}. Nothing more is sent until you go on.`);
        } else if (mayPass(problem, parcel)) {
            // A server that gives an upload up may close the connection before its reason is read.
            if (problem.status === 0 && seconds > SLOW_SECONDS) this.#halve(parcel);
            else this.#keep(parcel);
            this.#pause(problem, parcel.attempts);
        } else if (parcel.pictures.length > 1 && [400, 408, 413, 422].includes(problem.status)) {
            // One picture may be to blame, or all are too much at one time: halves find out.
            this.#halve(parcel);
        } else {
            for (const picture of parcel.pictures) folder.fail(picture, problem);
        }
    }

    /** A server that is older, or told to keep none; or one that can't for longer than it said. */
    #isWithoutJobs({ code, retryAfterSeconds }, { attempts }) {
        if (code === "not_found") return true;
        if (code !== "jobs_unavailable" && code !== "disk_full") return false;
        return retryAfterSeconds === undefined || attempts >= ATTEMPTS_AT_JOBS;
    }

    #halve(parcel) {
        this.#mostBytes = Math.max(LEAST_BYTES, this.#mostBytes / 2);
        const middle = Math.ceil(parcel.pictures.length / 2);
        const halves = [parcel.pictures.slice(0, middle), parcel.pictures.slice(middle)];
        for (const half of halves.reverse()) if (half.length > 0) this.#keep(parcelOf(half));
    }

    #keep(parcel) {
        this.#again.unshift(parcel);
        for (const picture of parcel.pictures) this.#folder.setStatus(picture, "waiting");
    }

    #pause(problem, attempts) {
        const growing = FIRST_PAUSE_SECONDS * 2 ** Math.min(attempts - 1, 10);
        const seconds = Math.min(problem.retryAfterSeconds ?? growing, LONGEST_PAUSE_SECONDS);
        this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + seconds * 1000);
        this.#folder.setNote("sending", `${problem.title}. Sending goes on by itself in ${Math.ceil(seconds)} s.`);
        clearTimeout(this.#wakeUp);
        // Timers may fire a hair early, which would find the pause not yet over.
        this.#wakeUp = setTimeout(() => this.sendMore(), this.#pausedUntil - performance.now() + 20);
    }
}

/**
 * A picture's bytes, unpacked where it lies in a zip.
 * @param {import("./folder.js").FolderPicture} picture
 * @returns {Promise<Blob>}
 * @throws {ServerProblem} where it can't be read
 */
export async function bytesOf({ name, file }) {
    try {
        const bytes = file instanceof Blob ? file : await file.open(typeOf(name));
        // A file that was moved or changed since would look like a broken connection when it is sent.
        await bytes.slice(0, 1).arrayBuffer();
        if (bytes.size > 0) return bytes;
    } catch (error) {
        const detail = file instanceof Blob ? "It may have been moved or changed since it was added." : error.message;
        throw new ServerProblem({ title: "The file can’t be read", detail, code: "unreadable_file" });
    }
    throw new ServerProblem({ title: "The file is empty", code: "empty_file" });
}

/** Whether the same parcel may well get through later; an answer that was cut off may be there whole the next time. */
function mayPass(problem, { attempts }) {
    if (problem.code === "unreadable_answer") return attempts < ATTEMPTS_AT_JOBS;
    return problem.isBusy || problem.isPassing || problem.status === 502;
}

function sizeOf(pictures) {
    return pictures.reduce((sum, { bytes }) => sum + bytes.size, 0);
}

function parcelOf(pictures) {
    return { pictures, key: newKey(), attempts: 0 };
}

/** `crypto.randomUUID` is only there on https and localhost. */
function newKey() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

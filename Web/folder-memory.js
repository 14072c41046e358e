// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

const HEAD = "nereid.folder";
const JOB = "nereid.folder.job.";

/**
 * What of a folder outlives a reload of the page: which jobs it became, and the names of their pictures. The server
 * has the results; the pictures themselves can't be kept. Each job has an entry of its own, so that the whole is not
 * written again for every one.
 * @typedef {{name: string, modelName: string, confidence: number, total: number, passedOver: number,
 *   jobs: {id: string, total: number, names: string[]}[]}} RememberedFolder
 */
export class FolderMemory {
    #storage;

    /** @param {Storage | null} storage null where the browser allows none */
    constructor(storage) {
        this.#storage = storage;
    }

    /**
     * Keeps how a folder stands.
     * @param {import("./folder.js").Folder} folder
     */
    keep({ name, modelName, confidence, pictures, lost, passedOver, jobs }) {
        if (jobs.length === 0) return;
        const total = pictures.length + lost;
        this.#write(HEAD, { name, modelName, confidence, total, passedOver });
    }

    /**
     * Keeps a job that was accepted.
     * @param {import("./folder.js").Job} job
     */
    keepJob({ id, total, pictures }) {
        this.#write(`${JOB}${this.#jobKeys.length.toString().padStart(6, "0")}`, {
            id,
            total,
            names: pictures.map(({ name }) => name),
        });
    }

    /** @param {string} id a job that the server has no longer */
    forgetJob(id) {
        for (const key of this.#jobKeys) {
            if (this.#read(key)?.id === id) this.#storage.setItem(key, "null");
        }
    }

    forget() {
        for (const key of [HEAD, ...this.#jobKeys]) this.#storage?.removeItem(key);
    }

    /** @returns {RememberedFolder | null} */
    recall() {
        const head = this.#read(HEAD);
        const jobs = this.#jobKeys.sort().map((key) => this.#read(key)).filter((job) => job?.names?.length > 0);
        return head && jobs.length > 0 ? { ...head, jobs } : null;
    }

    get #jobKeys() {
        return Object.keys(this.#storage ?? {}).filter((key) => key.startsWith(JOB));
    }

    #write(key, value) {
        try {
            this.#storage?.setItem(key, JSON.stringify(value));
        } catch {
            // No room is left: a reload then finds what was kept before.
        }
    }

    #read(key) {
        try {
            return JSON.parse(this.#storage?.getItem(key) ?? "null");
        } catch {
            return null;
        }
    }
}

/** This tab's storage, or null where the person's settings forbid it. */
export function tabStorage() {
    try {
        return window.sessionStorage;
    } catch {
        return null;
    }
}

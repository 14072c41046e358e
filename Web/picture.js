// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

const THUMBNAIL_HEIGHT = 128;
const THUMBNAIL_MAX_WIDTH = 256;

/**
 * How one picture fares with one model.
 * @typedef {object} Outcome
 * @property {"queued" | "running" | "waiting" | "listed" | "done" | "failed"} status `listed`: its folder sees to it
 * @property {import("./api.js").Answer} [answer] once done
 * @property {number} [wholeMs] from sending to the answer, as seen by this page
 * @property {import("./api.js").ServerProblem} [problem] once failed, or why it waits
 * @property {number} attempts
 */

let lastNumber = 0;

/** One picture that can be looked at: its file, how it looks, and what each model asked so far made of it. */
export class Picture {
    /** @type {Map<string, Outcome>} */
    #outcomes = new Map();
    #image = null;

    /**
     * @param {Blob | null} file null where only what was found in the picture is left
     * @param {string} [name]
     */
    constructor(file, name = file.name) {
        this.number = ++lastNumber;
        this.file = file;
        this.name = name || `pasted-${this.number}.png`;
        this.address = file && URL.createObjectURL(file);
        /** Whether this browser can show the picture; `undefined` until tried. */
        this.isViewable = undefined;
        /** @type {HTMLCanvasElement | null} */
        this.thumbnail = null;
    }

    /** The file's name without its ending. */
    get stem() {
        const last = this.name.split("/").at(-1);
        return last.replace(/\.[^.]+$/, "") || last;
    }

    /**
     * @param {string | null} modelName
     * @returns {Outcome}
     */
    outcome(modelName) {
        if (!this.#outcomes.has(modelName)) this.#outcomes.set(modelName, { status: "queued", attempts: 0 });
        return this.#outcomes.get(modelName);
    }

    /**
     * Takes over how the picture fared elsewhere.
     * @param {string} modelName
     * @param {Outcome} outcome
     */
    setOutcome(modelName, outcome) {
        this.#outcomes.set(modelName, outcome);
    }

    /** Puts a failed picture back in the line. */
    retry(modelName) {
        this.#outcomes.delete(modelName);
    }

    /**
     * The upright picture, or null where this browser can't show its format. Browsers turn an `<img>` by its EXIF
     * orientation on their own, so its natural size is the size in which the server's boxes are given.
     * @returns {Promise<HTMLImageElement | null>}
     */
    load() {
        this.#image ??= this.#decode();
        return this.#image;
    }

    /** Lets go of the decoded pixels; `load` brings them back. */
    release() {
        this.#image = null;
    }

    /** Frees everything; the picture is of no use afterwards. */
    discard() {
        this.release();
        if (this.address) URL.revokeObjectURL(this.address);
    }

    async #decode() {
        if (!this.address) {
            this.isViewable = false;
            return null;
        }
        const image = new Image();
        image.src = this.address;
        try {
            await image.decode();
        } catch {
            this.isViewable = false;
            return null;
        }
        this.isViewable = image.naturalWidth > 0;
        if (!this.isViewable) return null;
        this.thumbnail ??= thumbnailOf(image);
        return image;
    }
}

function thumbnailOf(image) {
    const height = THUMBNAIL_HEIGHT;
    const scale = height / image.naturalHeight;
    const width = Math.round(Math.min(Math.max(image.naturalWidth * scale, height), THUMBNAIL_MAX_WIDTH));
    const cover = Math.max(scale, width / image.naturalWidth);
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    const drawnWidth = image.naturalWidth * cover;
    const drawnHeight = image.naturalHeight * cover;
    context.drawImage(image, (width - drawnWidth) / 2, (height - drawnHeight) / 2, drawnWidth, drawnHeight);
    return canvas;
}

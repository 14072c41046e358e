// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { CocoWriter } from "./coco.js";
import { filtered, save, toCSV } from "./export.js";

/** Answers unpacked at one time. */
const AT_ONCE = 200;

/** The buttons that save a whole folder's results as one file: of each picture what passes the filter. */
export class FolderDownloads {
    #session;
    #desk;
    #announcer;
    #buttons;
    /** How many pictures of a folder were done when its results were saved. */
    #saved = new WeakMap();

    /**
     * @param {import("./session.js").Session} session
     * @param {import("./folder-desk.js").FolderDesk} desk
     * @param {import("./announcer.js").Announcer} announcer
     * @param {{json: HTMLButtonElement, coco: HTMLButtonElement, csv: HTMLButtonElement}} buttons
     */
    constructor(session, desk, announcer, buttons) {
        this.#session = session;
        this.#desk = desk;
        this.#announcer = announcer;
        this.#buttons = buttons;
        buttons.json.addEventListener("click", () => this.#save(() => this.#json(), "detections.json"));
        buttons.coco.addEventListener("click", () => this.#save(() => this.#coco(), "coco.json"));
        buttons.csv.addEventListener("click", () => this.#save(() => this.#csv(), "detections.csv"));
    }

    /** Whether nothing would be lost if the folder were put away. */
    get isSaved() {
        const { folder } = this.#desk;
        return !folder || folder.counts.done === (this.#saved.get(folder) ?? 0);
    }

    /** Shows whether there is something to save. */
    render() {
        const isEmpty = (this.#desk.folder?.counts.done ?? 0) === 0;
        for (const button of Object.values(this.#buttons)) button.disabled = isEmpty;
    }

    async #save(convert, ending) {
        const { folder } = this.#desk;
        const name = `${folder.name.replaceAll(/[\\/:*?"<>|]/g, "_")}.${ending}`;
        this.#announcer.say(`Writing ${name}`);
        for (const button of Object.values(this.#buttons)) button.disabled = true;
        try {
            const { done } = folder.counts;
            save(await convert(), name);
            this.#saved.set(folder, done);
            this.#announcer.say(`${name} saved`);
        } catch (error) {
            this.#announcer.show(`${name} could not be written: ${error.message}`);
        } finally {
            this.render();
        }
    }

    /** The server's own answers, and for pictures that failed, why. */
    async #json() {
        const { modelName, confidence } = this.#shown;
        const parts = [`{"model":${JSON.stringify(modelName)},"confidence":${confidence},"pictures":[`];
        let separator = "\n";
        for await (const [{ name, problem, status }, answer] of this.#answers()) {
            if (!answer && status !== "failed") continue;
            const content = answer ?? { error: plain(problem) };
            parts.push(`${separator}${JSON.stringify({ picture: name, ...content })}`);
            separator = ",\n";
        }
        parts.push("\n]}\n");
        return new Blob(parts, { type: "application/json" });
    }

    async #coco() {
        const classes = this.#session.models.find(({ name }) => name === this.#shown.modelName)?.classes ?? [];
        const writer = new CocoWriter(classes);
        for await (const [{ name }, answer] of this.#answers()) {
            if (answer) writer.add(name, answer);
        }
        return writer.finish();
    }

    async #csv() {
        const answers = [];
        for await (const [{ name, problem, status }, answer] of this.#answers()) {
            if (answer) {
                const { model, image, detections, classifications } = answer;
                answers.push({ picture: name, model, image, detections: detections?.map(bare), classifications });
            } else if (status === "failed") {
                answers.push({ picture: name, model: this.#shown.modelName, error: plain(problem) });
            }
        }
        return toCSV(answers);
    }

    get #shown() {
        return { modelName: this.#desk.folder.modelName, confidence: this.#session.confidence };
    }

    /** Each picture with its answer, which holds what passes the filter; null where there is none. */
    async *#answers() {
        const { pictures } = this.#desk.folder;
        for (let start = 0; start < pictures.length; start += AT_ONCE) {
            const some = pictures.slice(start, start + AT_ONCE);
            const answers = await Promise.all(some.map((picture) => picture.answer()));
            for (const [index, picture] of some.entries()) {
                yield [picture, answers[index] && filtered(answers[index], this.#session)];
            }
        }
    }
}

/** What a line of CSV holds; pixels of objects would fill the memory meanwhile. */
function bare({ label, class_id: classID, score, box, mask }) {
    return { label, class_id: classID, score, box, mask: mask && { area: mask.area } };
}

function plain({ title, detail, code, status }) {
    return { title, detail, code, ...(status ? { status } : {}) };
}

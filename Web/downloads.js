// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { save, shownAnswer, toCSV, toJSON, toPNG } from "./export.js";

/** The buttons that save what is shown: of the current picture, or, as data, of all pictures that are done. */
export class Downloads {
    #session;
    #palette;
    #view;
    #announcer;
    #elements;

    /**
     * @param {import("./session.js").Session} session
     * @param {import("./palette.js").Palette} palette
     * @param {import("./picture-view.js").PictureView} view
     * @param {import("./announcer.js").Announcer} announcer
     * @param {{section: HTMLElement, json: HTMLElement, csv: HTMLElement, png: HTMLElement, all: HTMLInputElement,
     *   allField: HTMLElement}} elements
     */
    constructor(session, palette, view, announcer, elements) {
        this.#session = session;
        this.#palette = palette;
        this.#view = view;
        this.#announcer = announcer;
        this.#elements = elements;
        elements.json.addEventListener("click", () => this.#saveData(toJSON, "json"));
        elements.csv.addEventListener("click", () => this.#saveData(toCSV, "csv"));
        elements.png.addEventListener("click", () => this.#savePNG());
        session.follow(["current", "pictures", "model", "outcome"], () => this.#render());
    }

    #render() {
        this.#elements.section.hidden = !this.#session.outcome?.answer;
        this.#elements.allField.hidden = this.#donePictures.length < 2;
    }

    get #donePictures() {
        const { pictures, modelName } = this.#session;
        return pictures.filter((picture) => picture.outcome(modelName).answer);
    }

    #saveData(convert, ending) {
        const { allField, all } = this.#elements;
        const isAll = all.checked && !allField.hidden;
        const pictures = isAll ? this.#donePictures : [this.#session.current];
        const stem = isAll ? "nereid" : this.#session.current.stem;
        const answers = pictures.map((picture) => shownAnswer(this.#session, picture));
        this.#save(convert(answers), `${stem}.detections.${ending}`);
    }

    async #savePNG() {
        const picture = this.#session.current;
        const answer = shownAnswer(this.#session, picture);
        try {
            const png = await toPNG(picture, answer, this.#palette, { hasLabels: this.#view.hasLabels });
            this.#save(png, `${picture.stem}.annotated.png`);
        } catch (error) {
            this.#announcer.show(error.message);
        }
    }

    #save(blob, name) {
        save(blob, name);
        this.#announcer.say(`${name} saved`);
    }
}

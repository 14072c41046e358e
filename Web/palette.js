// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/**
 * Light, clear hues: bright enough for dark water, and, drawn with a dark edge, plain on bright sand too. Neighbours in
 * the list lie far apart in hue, so that the first few classes of a model never look alike.
 */
const HUES = [
    "#5fe0d0", "#ffb454", "#ff8fa8", "#9fd3ff", "#d6f25c", "#c9a5ff",
    "#ff7f50", "#59e08b", "#ffe066", "#f49bf0", "#6fb2ff", "#e8c39e",
];

/** The angle that keeps any number of hues apart: 360° divided by the square of the golden ratio. */
const GOLDEN_ANGLE = 137.508;

/** The ink for text on any of the colours. */
export const LABEL_INK = "#04141c";

/**
 * One colour per class. A class prefers the colour of its number, so that it looks the same tomorrow; where a picture
 * holds two classes that prefer the same one, the later of them takes the next colour that is still free.
 */
export class Palette {
    #colours = new Map();

    /** @param {{label: string, class_id?: number}} detection */
    colour({ label, class_id: classID = 0 }) {
        if (!this.#colours.has(label)) this.#colours.set(label, this.#pick(classID));
        return this.#colours.get(label);
    }

    #pick(classID) {
        const taken = new Set(this.#colours.values());
        for (let step = 0; step < HUES.length; step += 1) {
            const colour = HUES[(classID + step) % HUES.length];
            if (!taken.has(colour)) return colour;
        }
        const hue = Math.round(taken.size * GOLDEN_ANGLE) % 360;
        return `hsl(${hue} 80% ${68 + (taken.size % 3) * 7}%)`;
    }
}

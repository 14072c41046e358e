// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

const MAX_SCALE = 24;
const MAX_FIT_SCALE = 6;

/**
 * Which part of a picture a window shows: a scale and an offset, without any drawing. Window coordinates are CSS
 * pixels, picture coordinates are picture pixels: window = picture × scale + offset.
 */
export class Viewport {
    scale = 1;
    x = 0;
    y = 0;
    #window = { width: 1, height: 1 };
    #picture = { width: 1, height: 1 };
    #margin = 0;
    #isFitted = true;

    /** True while the whole picture fills the window as well as it can. */
    get isFitted() {
        return this.#isFitted;
    }

    /** The scale at which the whole picture just fits; small pictures are enlarged, but not without end. */
    get fitScale() {
        const { width, height } = this.#inner;
        return Math.min(width / this.#picture.width, height / this.#picture.height, MAX_FIT_SCALE);
    }

    /** A new picture, shown whole. */
    setPicture(width, height) {
        this.#picture = { width: Math.max(1, width), height: Math.max(1, height) };
        this.fit();
    }

    /** The window's new size; what was in its middle stays there. */
    setWindow(width, height, margin) {
        const centre = this.toPicture(this.#window.width / 2, this.#window.height / 2);
        this.#window = { width: Math.max(1, width), height: Math.max(1, height) };
        this.#margin = margin;
        if (this.#isFitted) this.fit();
        else this.#centreOn(centre);
    }

    fit() {
        this.scale = this.fitScale;
        this.#isFitted = true;
        this.#keepInside();
    }

    /** Zooms by a factor; the point of the picture under (x, y) stays under it. */
    zoomAt(x, y, factor) {
        const anchor = this.toPicture(x, y);
        this.scale = this.#clampedScale(this.scale * factor);
        this.#isFitted = this.scale <= this.fitScale * 1.001;
        this.x = x - anchor.x * this.scale;
        this.y = y - anchor.y * this.scale;
        this.#keepInside();
    }

    panBy(dx, dy) {
        this.x += dx;
        this.y += dy;
        this.#keepInside();
    }

    /** Brings a box to the middle, with some of its surroundings. */
    zoomTo([x1, y1, x2, y2]) {
        const { width, height } = this.#inner;
        const surroundings = 2.2;
        const wanted = Math.min(width / ((x2 - x1) * surroundings), height / ((y2 - y1) * surroundings));
        this.scale = this.#clampedScale(wanted);
        this.#isFitted = this.scale <= this.fitScale * 1.001;
        this.#centreOn({ x: (x1 + x2) / 2, y: (y1 + y2) / 2 });
    }

    /** Moves as little as needed, which is often nothing, for a box's middle to be in the window. */
    reveal([x1, y1, x2, y2]) {
        const centre = this.toWindow((x1 + x2) / 2, (y1 + y2) / 2);
        const { width, height } = this.#window;
        const isInside = centre.x > 0 && centre.x < width && centre.y > 0 && centre.y < height;
        if (!isInside) this.#centreOn({ x: (x1 + x2) / 2, y: (y1 + y2) / 2 });
    }

    toPicture(x, y) {
        return { x: (x - this.x) / this.scale, y: (y - this.y) / this.scale };
    }

    toWindow(x, y) {
        return { x: x * this.scale + this.x, y: y * this.scale + this.y };
    }

    /** @returns {{scale: number, x: number, y: number}} */
    get transform() {
        return { scale: this.scale, x: this.x, y: this.y };
    }

    get #inner() {
        return {
            width: Math.max(1, this.#window.width - 2 * this.#margin),
            height: Math.max(1, this.#window.height - 2 * this.#margin),
        };
    }

    #clampedScale(scale) {
        return Math.min(Math.max(scale, this.fitScale), Math.max(MAX_SCALE, this.fitScale));
    }

    #centreOn({ x, y }) {
        this.x = this.#window.width / 2 - x * this.scale;
        this.y = this.#window.height / 2 - y * this.scale;
        this.#keepInside();
    }

    #keepInside() {
        this.x = insideOffset(this.x, this.#picture.width * this.scale, this.#window.width);
        this.y = insideOffset(this.y, this.#picture.height * this.scale, this.#window.height);
    }
}

function insideOffset(offset, length, room) {
    if (length <= room) return (room - length) / 2;
    return Math.min(0, Math.max(room - length, offset));
}

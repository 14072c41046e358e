// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { drawDetections, drawPicture } from "./drawing.js";
import { followGestures } from "./gestures.js";
import { Viewport } from "./viewport.js";

const ZOOM_STEP = 1.5;
const DOUBLE_TAP_ZOOM = 2.5;
const GLIDE_MS = 180;
const MARGIN = 20;
const NARROW_MARGIN = 8;

/** The scale from which a picture's pixels are shown as the squares they are. */
const SHARP_PIXELS_SCALE = 4;

/** The current picture with its boxes on a canvas that can be zoomed, panned and pointed at. */
export class PictureView {
    #session;
    #palette;
    #canvas;
    #context;
    #viewport = new Viewport();
    #image = null;
    #size = null;
    #ratio = 1;
    #hasLabels = true;
    #frame = 0;
    #glide = null;

    /**
     * @param {import("./session.js").Session} session
     * @param {import("./palette.js").Palette} palette
     * @param {HTMLCanvasElement} canvas
     */
    constructor(session, palette, canvas) {
        this.#session = session;
        this.#palette = palette;
        this.#canvas = canvas;
        this.#context = canvas.getContext("2d");
        new ResizeObserver(() => this.#resize()).observe(canvas);
        session.addEventListener("current", () => this.#openPicture());
        session.follow(["outcome", "model", "filter", "highlight"], () => this.#contentChanged());
        this.#followPointer();
    }

    get isZoomed() {
        return !this.#viewport.isFitted;
    }

    get hasLabels() {
        return this.#hasLabels;
    }

    set hasLabels(hasLabels) {
        this.#hasLabels = hasLabels;
        this.#redraw();
    }

    zoomIn() {
        this.#move(() => this.#zoomAtCentre(ZOOM_STEP));
    }

    zoomOut() {
        this.#move(() => this.#zoomAtCentre(1 / ZOOM_STEP));
    }

    /** Shows the whole picture. */
    fit() {
        this.#move(() => this.#viewport.fit());
    }

    /** Moves the window over the picture, by CSS pixels. */
    pan(dx, dy) {
        this.#move(() => this.#viewport.panBy(dx, dy));
    }

    /** @param {import("./api.js").Detection} detection */
    zoomTo({ box }) {
        if (box) this.#move(() => this.#viewport.zoomTo(box));
    }

    /** @param {import("./api.js").Detection} detection */
    reveal({ box }) {
        if (box) this.#move(() => this.#viewport.reveal(box));
    }

    async #openPicture() {
        const picture = this.#session.current;
        this.#image = null;
        this.#size = null;
        this.#contentChanged();
        if (!picture) return;
        const image = await picture.load();
        if (picture !== this.#session.current) return;
        this.#image = image;
        this.#contentChanged();
        this.#session.outcomeChanged(picture);
    }

    /** The server's size counts, since its boxes are given in it; until it is known, the browser's does. */
    #contentChanged() {
        const answered = this.#session.outcome?.answer?.image;
        const shown = this.#image && { width: this.#image.naturalWidth, height: this.#image.naturalHeight };
        const size = answered ?? shown;
        if (size && (size.width !== this.#size?.width || size.height !== this.#size?.height)) {
            this.#size = size;
            this.#viewport.setPicture(size.width, size.height);
        }
        this.#redraw();
    }

    #resize() {
        const { clientWidth, clientHeight } = this.#canvas;
        this.#ratio = window.devicePixelRatio || 1;
        this.#canvas.width = Math.round(clientWidth * this.#ratio);
        this.#canvas.height = Math.round(clientHeight * this.#ratio);
        this.#viewport.setWindow(clientWidth, clientHeight, clientWidth < 600 ? NARROW_MARGIN : MARGIN);
        // Setting a canvas's size clears it; waiting for the next frame would flash.
        this.#draw();
    }

    #followPointer() {
        followGestures(this.#canvas, {
            zoom: (x, y, factor) => this.#moveAtOnce(() => this.#viewport.zoomAt(x, y, factor)),
            pan: (dx, dy) => this.#moveAtOnce(() => this.#viewport.panBy(dx, dy)),
            hover: (x, y) => this.#session.hover(this.#detectionAt(x, y)),
            leave: () => this.#session.hover(null),
            tap: (x, y) => this.#session.select(this.#detectionAt(x, y)),
            doubleTap: (x, y) => this.#move(() => this.#toggleZoom(x, y)),
        });
    }

    #toggleZoom(x, y) {
        if (this.#viewport.isFitted) this.#viewport.zoomAt(x, y, DOUBLE_TAP_ZOOM);
        else this.#viewport.fit();
    }

    #zoomAtCentre(factor) {
        this.#viewport.zoomAt(this.#canvas.clientWidth / 2, this.#canvas.clientHeight / 2, factor);
    }

    /** The smallest box around a point: the larger ones behind it can still be pointed at beside it. */
    #detectionAt(x, y) {
        const point = this.#viewport.toPicture(x, y);
        const slack = 3 / this.#viewport.scale;
        const isHit = ({ box }) =>
            box &&
            point.x >= box[0] - slack &&
            point.x <= box[2] + slack &&
            point.y >= box[1] - slack &&
            point.y <= box[3] + slack;
        const area = ({ box }) => (box[2] - box[0]) * (box[3] - box[1]);
        const hits = this.#session.shown().filter(isHit);
        return hits.sort((one, other) => area(one) - area(other))[0] ?? null;
    }

    #moveAtOnce(change) {
        this.#glide = null;
        change();
        this.#redraw();
    }

    /** Changes the viewport and glides there, unless the person prefers less motion. */
    #move(change) {
        const from = this.#glide ? this.#shownTransform() : this.#viewport.transform;
        change();
        const isStill = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
        this.#glide = isStill ? null : { from, start: performance.now() };
        this.#redraw();
    }

    #shownTransform() {
        const to = this.#viewport.transform;
        if (!this.#glide) return to;
        const { from, start } = this.#glide;
        const progress = Math.min(1, (performance.now() - start) / GLIDE_MS);
        if (progress === 1) this.#glide = null;
        const eased = 1 - (1 - progress) ** 3;
        const between = (one, other) => one + (other - one) * eased;
        return { scale: between(from.scale, to.scale), x: between(from.x, to.x), y: between(from.y, to.y) };
    }

    #redraw() {
        if (this.#frame) return;
        this.#frame = requestAnimationFrame(() => {
            this.#frame = 0;
            this.#draw();
            if (this.#glide) this.#redraw();
        });
    }

    #draw() {
        const { width, height } = this.#canvas;
        this.#context.clearRect(0, 0, width, height);
        const transform = this.#shownTransform();
        const isShown = this.#size !== null && this.#session.current !== null;
        if (isShown) this.#drawContent(transform);
        this.#describe(transform, isShown);
    }

    #drawContent({ scale, x, y }) {
        const ratio = this.#ratio;
        const place = (pictureX, pictureY) => ({
            x: (pictureX * scale + x) * ratio,
            y: (pictureY * scale + y) * ratio,
        });
        const origin = place(0, 0);
        const corner = place(this.#size.width, this.#size.height);
        this.#context.imageSmoothingEnabled = scale * ratio < SHARP_PIXELS_SCALE;
        this.#context.imageSmoothingQuality = "high";
        drawPicture(this.#context, this.#image, origin.x, origin.y, corner.x - origin.x, corner.y - origin.y);
        drawDetections(this.#context, this.#session.shown(), {
            place,
            unit: ratio,
            palette: this.#palette,
            hasLabels: this.#hasLabels,
            highlighted: this.#session.highlighted,
        });
    }

    /** Says on the element what is drawn where, for style sheets, screen readers and tests. */
    #describe({ scale, x, y }, isShown) {
        const { dataset, style } = this.#canvas;
        const { highlighted } = this.#session;
        const shown = isShown ? this.#session.shown() : [];
        dataset.boxes = shown.filter(({ box }) => box).length;
        dataset.highlighted = highlighted ? shown.indexOf(highlighted) : -1;
        dataset.scale = scale;
        dataset.x = x;
        dataset.y = y;
        dataset.zoomed = this.isZoomed;
        style.touchAction = this.isZoomed ? "none" : "pan-y";
        const name = this.#session.current?.name ?? "No picture";
        this.#canvas.setAttribute("aria-label", `${name}, ${shown.length} detections shown`);
    }
}

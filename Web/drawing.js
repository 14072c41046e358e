// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { drawLabels, outline } from "./labels.js";

const EDGE = "rgb(2 14 22 / 0.6)";
const FADED = 0.45;

/** The picture of a picture that this browser can't show. */
const BLANK = "#12303d";

/**
 * How a drawing comes out on its canvas.
 * @typedef {object} Drawing
 * @property {(x: number, y: number) => {x: number, y: number}} place from picture pixels to canvas pixels
 * @property {number} unit canvas pixels per unit of line width and text size: the device's pixel ratio on screen
 * @property {import("./palette.js").Palette} palette
 * @property {boolean} hasLabels
 * @property {import("./api.js").Detection | null} [highlighted] drawn strongly, with all others held back
 */

/**
 * Fills the place of a picture, or stands in for one that can't be shown.
 * @param {CanvasRenderingContext2D} context
 * @param {HTMLImageElement | null} image
 */
export function drawPicture(context, image, x, y, width, height) {
    if (image) {
        context.drawImage(image, x, y, width, height);
        return;
    }
    context.fillStyle = BLANK;
    context.fillRect(x, y, width, height);
}

/**
 * Draws boxes with their labels, weakest first, so that the surest lie on top.
 * @param {CanvasRenderingContext2D} context
 * @param {import("./api.js").Detection[]} detections best first
 * @param {Drawing} drawing
 */
export function drawDetections(context, detections, drawing) {
    const boxed = detections.filter(({ box }) => box);
    const { highlighted } = drawing;
    context.save();
    context.lineJoin = "round";
    for (const detection of [...boxed].reverse()) {
        if (detection !== highlighted) drawBox(context, detection, drawing, highlighted ? FADED : 1);
    }
    if (highlighted?.box) drawBox(context, highlighted, drawing, 1);
    context.globalAlpha = 1;
    drawLabels(context, boxed, drawing);
    context.restore();
}

function drawBox(context, detection, { place, unit, palette, highlighted }, opacity) {
    const { x, y, width, height } = outline(detection.box, place);
    const isHighlighted = detection === highlighted;
    const lineWidth = Math.max(1, Math.round((isHighlighted ? 3 : 2) * unit));
    const colour = palette.colour(detection);
    context.globalAlpha = opacity;
    if (isHighlighted) {
        context.globalAlpha = 0.14;
        context.fillStyle = colour;
        context.fillRect(x, y, width, height);
        context.globalAlpha = 1;
    }
    context.beginPath();
    context.roundRect(x, y, width, height, Math.min(2.5 * unit, width / 4, height / 4));
    context.lineWidth = lineWidth + 2 * unit;
    context.strokeStyle = EDGE;
    context.stroke();
    context.lineWidth = lineWidth;
    context.strokeStyle = colour;
    context.stroke();
}

// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { drawClasses, drawLabels, outline } from "./labels.js";
import { addClosedWay, drawPoints, fillPixels } from "./shapes.js";

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
 * Draws objects with their labels, weakest first, so that the surest lie on top: pixels below all lines, then boxes, straight
 * or turned, then points. Classes of the whole picture, which have no box, are listed at its corner.
 * @param {CanvasRenderingContext2D} context
 * @param {import("./api.js").Detection[]} detections best first
 * @param {Drawing} drawing
 */
export function drawDetections(context, detections, drawing) {
    const boxed = detections.filter(({ box }) => box);
    const { highlighted } = drawing;
    context.save();
    context.lineJoin = "round";
    const order = boxed.filter((detection) => detection !== highlighted).reverse();
    if (highlighted?.box) order.push(highlighted);
    const opacity = (detection) => (highlighted && detection !== highlighted ? FADED : 1);
    for (const detection of order) {
        fillPixels(context, detection, {
            place: drawing.place,
            colour: drawing.palette.colour(detection),
            isHighlighted: detection === highlighted,
            opacity: opacity(detection),
        });
    }
    for (const detection of order) {
        drawBox(context, detection, drawing, opacity(detection));
        drawPoints(context, detection, { ...drawing, isHighlighted: detection === highlighted });
    }
    context.globalAlpha = 1;
    drawLabels(context, boxed, drawing);
    drawClasses(context, detections.filter(({ box }) => !box), drawing);
    context.restore();
}

function drawBox(context, detection, { place, unit, palette, highlighted }, opacity) {
    const isHighlighted = detection === highlighted;
    const lineWidth = Math.max(1, Math.round((isHighlighted ? 3 : 2) * unit));
    const colour = palette.colour(detection);
    context.beginPath();
    if (detection.rotated_box) {
        addClosedWay(context, detection.rotated_box.corners, place);
    } else {
        const { x, y, width, height } = outline(detection.box, place);
        context.roundRect(x, y, width, height, Math.min(2.5 * unit, width / 4, height / 4));
    }
    // An object's own pixels are filled instead of its box.
    if (isHighlighted && !detection.polygons) {
        context.globalAlpha = 0.14;
        context.fillStyle = colour;
        context.fill();
    }
    context.globalAlpha = opacity;
    context.lineWidth = lineWidth + 2 * unit;
    context.strokeStyle = EDGE;
    context.stroke();
    context.lineWidth = lineWidth;
    context.strokeStyle = colour;
    context.stroke();
}

// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { formatScore } from "./element.js";
import { LABEL_INK } from "./palette.js";

/** With more boxes than this, a label much wider than its box is left out: it would hide the neighbours. */
const CROWD = 12;
const CROWDED_LABEL_WIDTH = 2;

/**
 * Draws names and scores beside boxes. The surest detections choose a place first; one that finds none goes without.
 * A highlighted detection has the picture to itself.
 * @param {CanvasRenderingContext2D} context
 * @param {import("./api.js").Detection[]} detections with boxes, best first
 * @param {import("./drawing.js").Drawing} drawing
 */
export function drawLabels(context, detections, { place, unit, palette, hasLabels, highlighted }) {
    setFont(context, unit);
    if (highlighted) {
        const plates = highlighted.box ? platesFor(context, highlighted, outline(highlighted.box, place), unit) : [];
        if (plates.length > 0) drawPlate(context, plates[0], palette.colour(highlighted), unit);
        return;
    }
    if (!hasLabels) return;
    const boxes = detections.map(({ box }) => outline(box, place));
    const taken = [];
    detections.forEach((detection, index) => {
        const plate = freePlate(platesFor(context, detection, boxes[index], unit), boxes[index], boxes, taken);
        if (!plate) return;
        taken.push(plate);
        drawPlate(context, plate, palette.colour(detection), unit);
    });
}

/**
 * Lists classes of the whole picture at its top left corner, the likeliest first. A highlighted one is alone.
 * @param {CanvasRenderingContext2D} context
 * @param {import("./api.js").Detection[]} classes without boxes, best first
 * @param {import("./drawing.js").Drawing} drawing
 */
export function drawClasses(context, classes, { place, unit, palette, hasLabels, highlighted }) {
    if (!hasLabels) return;
    setFont(context, unit);
    const { x, y } = place(0, 0);
    const gap = Math.round(4 * unit);
    const height = Math.round(19 * unit);
    const listed = classes.includes(highlighted) ? [highlighted] : classes;
    listed.forEach((detection, index) => {
        const plate = {
            text: labelText(detection),
            x: Math.round(Math.max(x, 0)) + gap,
            y: Math.round(Math.max(y, 0)) + gap + index * (height + gap),
            width: plateWidth(context, detection, unit),
            height,
        };
        drawPlate(context, plate, palette.colour(detection), unit);
    });
}

/**
 * A box in whole canvas pixels, for crisp lines.
 * @param {[number, number, number, number]} box
 * @param {(x: number, y: number) => {x: number, y: number}} place from picture pixels to canvas pixels
 */
export function outline([x1, y1, x2, y2], place) {
    const from = place(x1, y1);
    const to = place(x2, y2);
    const x = Math.round(from.x);
    const y = Math.round(from.y);
    return { x, y, width: Math.max(1, Math.round(to.x) - x), height: Math.max(1, Math.round(to.y) - y) };
}

function setFont(context, unit) {
    context.font = `600 ${12 * unit}px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif`;
    context.textBaseline = "middle";
}

function labelText({ label, score }) {
    return `${label} ${formatScore(score)}`;
}

function plateWidth(context, detection, unit) {
    return Math.ceil(context.measureText(labelText(detection)).width) + Math.round(12 * unit);
}

/** The plates on which a label may stand, all on the canvas, the best one first; none for a box out of sight. */
function platesFor(context, detection, box, unit) {
    const { width: canvasWidth, height: canvasHeight } = context.canvas;
    if (!overlap(box, { x: 0, y: 0, width: canvasWidth, height: canvasHeight })) return [];
    const text = labelText(detection);
    const width = plateWidth(context, detection, unit);
    const height = Math.round(19 * unit);
    const gap = Math.round(2 * unit);
    const { x: left, y: top } = box;
    const right = left + box.width - width;
    const bottom = top + box.height;
    const around = [
        { x: left - gap, y: top - height - gap },
        { x: right + gap, y: top - height - gap },
        { x: left - gap, y: bottom + gap },
    ];
    const inside = [
        { x: left + gap, y: top + gap },
        { x: right - gap, y: bottom - height - gap },
        { x: Math.max(left, 0) + gap, y: Math.max(top, 0) + gap },
    ];
    const hasRoomInside = box.width > width && box.height > 2 * height;
    const isOnCanvas = ({ x, y }) => x >= 0 && y >= 0 && x + width <= canvasWidth && y + height <= canvasHeight;
    const corners = [...around, ...(hasRoomInside ? inside : [])].filter(isOnCanvas);
    const movedIn = {
        x: between(0, around[0].x, canvasWidth - width),
        y: between(0, around[0].y, canvasHeight - height),
    };
    return [...corners, movedIn].map((corner) => ({ text, width, height, ...corner }));
}

/** The first plate that hides no other label and, if that can be had, no box smaller than its own. */
function freePlate(plates, box, boxes, taken) {
    const isCrowded = boxes.length > CROWD && plates[0]?.width > CROWDED_LABEL_WIDTH * box.width;
    if (isCrowded) return undefined;
    const free = plates.filter((plate) => !taken.some((other) => overlap(plate, other)));
    const smaller = boxes.filter((other) => other.width * other.height < box.width * box.height);
    return free.find((plate) => !smaller.some((other) => overlap(plate, other))) ?? free[0];
}

function drawPlate(context, { text, x, y, width, height }, colour, unit) {
    context.beginPath();
    context.roundRect(x, y, width, height, 4 * unit);
    context.fillStyle = colour;
    context.fill();
    context.fillStyle = LABEL_INK;
    context.fillText(text, x + 6 * unit, y + height / 2 + 0.5 * unit);
}

function overlap(one, other) {
    return (
        one.x < other.x + other.width &&
        other.x < one.x + one.width &&
        one.y < other.y + other.height &&
        other.y < one.y + one.height
    );
}

function between(lowest, value, highest) {
    return Math.max(lowest, Math.min(value, highest));
}

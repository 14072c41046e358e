// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/** How much of the picture shows through the colour of an object's pixels. */
const MASK_OPACITY = 0.32;
const HIGHLIGHTED_MASK_OPACITY = 0.5;

/** Points that the model is less sure of are hidden, or not in the picture. */
export const LEAST_POINT_SCORE = 0.25;

const POINT_RADIUS = 3.5;
const POINT_EDGE = "rgb(2 14 22 / 0.8)";

/** Keypoints are told apart by their number, not by their object's class. */
const POINT_HUE_STEP = 137.508;

/**
 * Fills an object's pixels with its colour. Holes are filled with the rest: the polygons are the outer borders.
 * @param {CanvasRenderingContext2D} context
 * @param {import("./api.js").Detection} detection
 * @param {{place: (x: number, y: number) => {x: number, y: number}, colour: string, isHighlighted: boolean,
 *   opacity: number}} how
 */
export function fillPixels(context, { polygons }, { place, colour, isHighlighted, opacity }) {
    if (!polygons?.length) return;
    context.beginPath();
    for (const polygon of polygons) {
        const points = [];
        for (let index = 0; index + 1 < polygon.length; index += 2) points.push([polygon[index], polygon[index + 1]]);
        addClosedWay(context, points, place);
    }
    context.globalAlpha = opacity * (isHighlighted ? HIGHLIGHTED_MASK_OPACITY : MASK_OPACITY);
    context.fillStyle = colour;
    context.fill();
    context.globalAlpha = opacity;
}

/**
 * Adds a closed way through some points of the picture to the context's path.
 * @param {CanvasRenderingContext2D} context
 * @param {[number, number][]} points
 * @param {(x: number, y: number) => {x: number, y: number}} place from picture pixels to canvas pixels
 */
export function addClosedWay(context, points, place) {
    points.forEach(([pictureX, pictureY], index) => {
        const { x, y } = place(pictureX, pictureY);
        if (index === 0) context.moveTo(x, y);
        else context.lineTo(x, y);
    });
    context.closePath();
}

/**
 * Draws an object's points as dots, each number in a colour of its own.
 * @param {CanvasRenderingContext2D} context
 * @param {import("./api.js").Detection} detection
 * @param {{place: (x: number, y: number) => {x: number, y: number}, unit: number, isHighlighted: boolean}} how
 */
export function drawPoints(context, { keypoints }, { place, unit, isHighlighted }) {
    const radius = POINT_RADIUS * unit * (isHighlighted ? 1.4 : 1);
    (keypoints ?? []).forEach(([pictureX, pictureY, score], index) => {
        if ((score ?? 1) < LEAST_POINT_SCORE) return;
        const { x, y } = place(pictureX, pictureY);
        context.beginPath();
        context.arc(x, y, radius, 0, 2 * Math.PI);
        context.fillStyle = `hsl(${Math.round(index * POINT_HUE_STEP) % 360} 85% 66%)`;
        context.fill();
        context.lineWidth = unit;
        context.strokeStyle = POINT_EDGE;
        context.stroke();
    });
}

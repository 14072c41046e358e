// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { findings } from "./api.js";
import { drawDetections, drawPicture } from "./drawing.js";

/** The server's table: Sources/NereidServer/Formats/CSVFormat.swift defines it, and tests compare the two. */
const CSV_COLUMNS = [
    "file", "label", "class_id", "score", "x1", "y1", "x2", "y2", "mask_area",
    "image_width", "image_height", "taken", "model", "error",
];

/** The fields of a detection where there is none. */
const NOTHING = Array(8).fill("");

/** The longer side, in pixels, up to which an annotated picture gets lines and text of screen size. */
const SCREEN_SIZE = 1000;

/**
 * What the page shows of one picture, in the shape of the server's own answer.
 * @param {import("./session.js").Session} session
 * @param {import("./picture.js").Picture} picture
 */
export function shownAnswer(session, picture) {
    const { answer } = picture.outcome(session.modelName);
    return { picture: picture.name, confidence: session.confidence, ...filtered(answer, session) };
}

/**
 * An answer with those findings that pass the confidence and the class filter.
 * @param {import("./api.js").Answer} answer
 * @param {import("./session.js").Session} session
 */
export function filtered(answer, session) {
    // Classes of the whole picture stay what they are, objects too: the other list is as the server gave it.
    const list = answer.classifications ? "classifications" : "detections";
    return { ...answer, [list]: session.passing(findings(answer)) };
}

/**
 * One picture's answer as it is, several as a list under `pictures`.
 * @param {object[]} answers
 */
export function toJSON(answers) {
    const content = answers.length === 1 ? answers[0] : { pictures: answers };
    return new Blob([`${JSON.stringify(content, null, 2)}\n`], { type: "application/json" });
}

/**
 * The table that the server gives as CSV (RFC 4180): a row for each detection or class of a picture; one without those for a
 * picture in which nothing was found, and for one that failed, which has an `error`.
 * @param {object[]} answers
 */
export function toCSV(answers) {
    const rows = answers.flatMap(rowsOf);
    const lines = [CSV_COLUMNS, ...rows].map((row) => row.map(csvField).join(","));
    return new Blob([`${lines.join("\r\n")}\r\n`], { type: "text/csv" });
}

function rowsOf({ picture, model, image, error, ...answer }) {
    const { width, height, taken } = image ?? {};
    const about = [width, height, taken, model, error?.code];
    const found = findings(answer).map(({ label, class_id: classID, score, box, mask }) =>
        [label, classID, score, ...(box ?? ["", "", "", ""]), mask?.area]);
    return (found.length > 0 ? found : [NOTHING]).map((fields) => [picture, ...fields, ...about]);
}

/**
 * The picture in its full resolution with what is shown drawn onto it.
 * @param {import("./picture.js").Picture} picture
 * @param {{image: {width: number, height: number}, detections: import("./api.js").Detection[]}} answer
 * @param {import("./palette.js").Palette} palette
 * @param {{hasLabels: boolean}} options
 * @returns {Promise<Blob>}
 * @throws {Error} where the browser can't make a canvas of that size
 */
export async function toPNG(picture, answer, palette, { hasLabels }) {
    const { width, height } = answer.image;
    const image = await picture.load();
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    drawPicture(context, image, 0, 0, width, height);
    drawDetections(context, findings(answer), {
        place: (x, y) => ({ x, y }),
        unit: Math.max(1, Math.max(width, height) / SCREEN_SIZE),
        palette,
        hasLabels,
    });
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    if (!blob) throw new Error(`This browser can’t draw a picture of ${width} × ${height} pixels.`);
    return blob;
}

/**
 * Hands a file to the browser's downloads.
 * @param {Blob} blob
 * @param {string} name
 */
export function save(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    // The download starts after this turn of the event loop; some browsers take a while to open the address.
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** A spreadsheet would take a name that begins like a formula for one; the server's own CSV has the apostrophe too. */
function csvField(value) {
    const isFormula = typeof value === "string" && /^[=+\-@\t\r]/.test(value);
    const text = `${isFormula ? "'" : ""}${value ?? ""}`;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

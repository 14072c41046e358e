// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { LEAST_POINT_SCORE } from "./shapes.js";

/** How COCO says that a point is there and can be seen. */
const VISIBLE = 2;

/**
 * Writes pictures and what was found in them as one file in COCO's format for object detection
 * (https://cocodataset.org/#format-data), with the score of each annotation beside.
 *
 * Numbers begin with 1, also those of the classes, which are one higher than the model's: many tools keep 0 for
 * “nothing”.
 */
export class CocoWriter {
    #images = [];
    #annotations = [];
    /** @type {Map<number, string>} */
    #classes;

    /** @param {string[]} classes the model's, by number; others are added as they are found */
    constructor(classes) {
        this.#classes = new Map(classes.entries());
    }

    /**
     * @param {string} name the picture's path
     * @param {import("./api.js").Answer} answer
     */
    add(name, { image, detections, classifications }) {
        const imageID = this.#images.length + 1;
        const { width, height, taken } = image;
        this.#images.push(JSON.stringify({ id: imageID, file_name: name, width, height, date_captured: taken }));
        for (const found of classifications ?? detections ?? []) {
            this.#classes.set(found.class_id, found.label);
            const annotation = { id: this.#annotations.length + 1, image_id: imageID, ...annotationOf(found) };
            this.#annotations.push(JSON.stringify(annotation));
        }
    }

    /** @returns {Blob} */
    finish() {
        const categories = [...this.#classes].map(([number, name]) => JSON.stringify({ id: number + 1, name }));
        const list = (entries) => [`[`, entries.map((entry) => `\n${entry}`).join(","), `\n]`];
        const parts = [
            `{"info":${JSON.stringify({ description: "Found by Nereid", date_created: new Date().toISOString() })},\n`,
            `"images":`, ...list(this.#images),
            `,\n"annotations":`, ...list(this.#annotations),
            `,\n"categories":`, ...list(categories), `}\n`,
        ];
        return new Blob(parts, { type: "application/json" });
    }
}

function annotationOf({ class_id: classID, score, box, mask, polygons, keypoints, rotated_box: rotatedBox }) {
    const annotation = { category_id: classID + 1, score };
    if (!box) return annotation;
    const [x1, y1, x2, y2] = box;
    const [width, height] = [rounded(x2 - x1), rounded(y2 - y1)];
    Object.assign(annotation, { bbox: [x1, y1, width, height], area: rounded(width * height), iscrowd: 0 });
    const outlines = rotatedBox ? [rotatedBox.corners.flat()] : polygons?.filter((polygon) => polygon.length >= 6);
    if (outlines?.length > 0) {
        annotation.segmentation = outlines;
        annotation.area = mask?.area ?? rounded(outlines.reduce((sum, outline) => sum + areaOf(outline), 0));
    }
    if (keypoints) {
        const seen = keypoints.map(([x, y, pointScore = 1]) =>
            pointScore < LEAST_POINT_SCORE ? [0, 0, 0] : [x, y, VISIBLE]);
        annotation.keypoints = seen.flat();
        annotation.num_keypoints = seen.filter(([, , visibility]) => visibility === VISIBLE).length;
    }
    return annotation;
}

/** Half the sum of the cross products of neighbours. */
function areaOf(outline) {
    let sum = 0;
    for (let index = 0; index + 1 < outline.length; index += 2) {
        const next = (index + 2) % outline.length;
        sum += outline[index] * outline[next + 1] - outline[next] * outline[index + 1];
    }
    return Math.abs(sum) / 2;
}

/** As many digits as the server gives. */
function rounded(number) {
    return Math.round(number * 1000) / 1000;
}

// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/** The lowest confidence the page asks for; everything above it is filtered in the browser without asking again. */
export const CONFIDENCE_FLOOR = 0.05;

const PREDICT_TIMEOUT_MS = 120_000;
const MODELS_TIMEOUT_MS = 10_000;

/**
 * @typedef {object} Detection
 * @property {string} label
 * @property {number} class_id
 * @property {number} score between 0 and 1
 * @property {[number, number, number, number]} [box] x1, y1, x2, y2 in pixels of the upright picture; a class of the
 *   whole picture has none
 * @property {{area: number}} [mask] its pixels; `area` is their number
 * @property {number[][]} [polygons] borders of its pixels: x, y, x, y, …
 * @property {number[][]} [keypoints] x, y and, where the model says it, score
 * @property {{corners: [number, number][]}} [rotated_box]
 *
 * @typedef {object} Answer
 * @property {string} id
 * @property {string} model
 * @property {{width: number, height: number, taken?: string}} image `taken`: date and time of ISO 8601, from EXIF
 * @property {string} [task]
 * @property {Detection[]} detections
 * @property {Detection[]} [classifications] what the whole picture shows, from a model that classifies
 * @property {Record<string, number>} timing milliseconds by step
 */

/**
 * Everything an answer holds that has a label and a score: objects, or classes of the whole picture; best first.
 * @param {Answer | null | undefined} answer
 * @returns {Detection[]}
 */
export function findings(answer) {
    return answer?.classifications ?? answer?.detections ?? [];
}

/** What went wrong with a request, in words for a person. */
export class ServerProblem extends Error {
    /**
     * @param {{title: string, detail?: string, code?: string, status?: number, retryAfterSeconds?: number}} problem
     */
    constructor({ title, detail = "", code = "", status = 0, retryAfterSeconds }) {
        super(detail || title);
        this.title = title;
        this.detail = detail;
        this.code = code;
        this.status = status;
        this.retryAfterSeconds = retryAfterSeconds;
    }

    /** True when the server only asked for patience: the same request may well succeed a little later. */
    get isBusy() {
        return this.status === 503 || this.status === 429;
    }

    /** True when the picture is not to blame: what stood in its way stood in the way of others too. */
    get isPassing() {
        return this.isBusy || this.status === 0 || this.status === 504;
    }
}

/**
 * The models the server offers, with the state of each.
 * @returns {Promise<object[]>}
 * @throws {ServerProblem}
 */
export async function fetchModels() {
    const response = await send("v1/models", { signal: AbortSignal.timeout(MODELS_TIMEOUT_MS) });
    const { models } = await readJSON(response);
    return models ?? [];
}

/** More classes of a whole picture than anybody reads; the confidence floor leaves at most twenty of them. */
const MOST_CLASSES = 20;

/**
 * Sends one picture and returns what the model sees in it, from the confidence floor upwards.
 * @param {string} modelName
 * @param {Blob} bytes the picture's file as it is
 * @param {{confidence: number}} options
 * @returns {Promise<Answer>}
 * @throws {ServerProblem}
 */
export async function predict(modelName, bytes, { confidence }) {
    const response = await send(withMostClasses(predictPath(modelName, confidence)), {
        method: "POST",
        body: bytes,
        headers: { "Content-Type": bytes.type || "application/octet-stream" },
        signal: AbortSignal.timeout(PREDICT_TIMEOUT_MS),
    });
    return readJSON(response);
}

/**
 * The address of a model's `predict` call, relative to the page, which may stand behind a path prefix.
 * @param {string} modelName
 * @param {number} confidence
 */
export function predictPath(modelName, confidence) {
    return callPath(modelName, "predict", confidence);
}

/**
 * The address of a model's `jobs` call, which asks the same of every picture as the page's `predict` does.
 * @param {string} modelName
 * @param {number} confidence
 */
export function jobsPath(modelName, confidence) {
    return withMostClasses(callPath(modelName, "jobs", confidence));
}

function callPath(modelName, call, confidence) {
    return `v1/models/${encodeURIComponent(modelName)}/${call}?confidence=${Number(confidence.toFixed(3))}`;
}

function withMostClasses(path) {
    return `${path}&top_k=${MOST_CLASSES}`;
}

/**
 * Asks the server.
 * @param {string} path relative to the page
 * @param {RequestInit} [options]
 * @returns {Promise<Response>} with a status of success
 * @throws {ServerProblem}
 */
export async function send(path, options) {
    let response;
    try {
        response = await fetch(new URL(path, document.baseURI), options);
    } catch (error) {
        throw unanswered(error);
    }
    if (!response.ok) throw await problemIn(response);
    return response;
}

function unanswered(error) {
    if (error.name === "TimeoutError") {
        return new ServerProblem({
            title: "The server took too long",
            detail: "No answer came in time. The server may be overloaded; try again in a moment.",
            code: "timeout",
        });
    }
    return new ServerProblem({
        title: "The server can’t be reached",
        detail: "Check that it is still running and that this device has a connection to it, then try again.",
        code: "unreachable",
    });
}

/**
 * @param {Response} response
 * @returns {Promise<any>} what its body says
 * @throws {ServerProblem}
 */
export async function readJSON(response) {
    try {
        return await response.json();
    } catch {
        throw new ServerProblem({
            title: "The answer can’t be read",
            detail: "What came back is not JSON. Something between this page and the server may have replaced it.",
            status: response.status,
            code: "unreadable_answer",
        });
    }
}

async function problemIn(response) {
    const body = await response.json().catch(() => ({}));
    return new ServerProblem({
        title: body.title || `The server answered with status ${response.status}`,
        detail: body.detail,
        code: body.code,
        status: response.status,
        retryAfterSeconds: secondsUntil(response.headers.get("Retry-After")),
    });
}

/** `Retry-After` is a number of seconds or a date (RFC 9110, section 10.2.3). */
function secondsUntil(header) {
    if (!header) return undefined;
    const seconds = /^\d+$/.test(header.trim()) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
    return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}

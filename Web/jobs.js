// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { jobsPath, readJSON, send } from "./api.js";

const ORDER_TIMEOUT_MS = 120_000;
const ANSWER_TIMEOUT_MS = 30_000;

/**
 * Pictures that the server keeps and answers in its own time.
 * @typedef {object} Job
 * @property {string} id
 * @property {string} model
 * @property {"waiting" | "running" | "done"} state
 * @property {{total: number, done: number, failed: number}} pictures
 * @property {string} [expires] when the server forgets it
 *
 * @typedef {object} JobResult
 * @property {number} sequence from 1, in the order in which results came
 * @property {number} picture its place in the order, from 0
 * @property {string} [file]
 * @property {object} [error] problem details; all other members are those of an `Answer`
 */

/**
 * Orders a job. The same key is the same order: sent again after a connection broke, it makes no second job.
 * @param {string} modelName
 * @param {{name: string, bytes: Blob}[]} pictures
 * @param {{confidence: number, key: string}} options
 * @returns {Promise<Job>}
 * @throws {import("./api.js").ServerProblem}
 */
export async function orderJob(modelName, pictures, { confidence, key }) {
    const form = new FormData();
    for (const { name, bytes } of pictures) form.append("file", bytes, name);
    const response = await send(jobsPath(modelName, confidence), {
        method: "POST",
        body: form,
        headers: { "Idempotency-Key": key },
        signal: AbortSignal.timeout(ORDER_TIMEOUT_MS),
    });
    return readJSON(response);
}

/**
 * A job and those of its results that came after one.
 * @param {string} id
 * @param {{after: number, limit: number}} range
 * @returns {Promise<Job & {results: JobResult[], next: number}>}
 * @throws {import("./api.js").ServerProblem}
 */
export async function fetchJob(id, { after, limit }) {
    const path = `v1/jobs/${encodeURIComponent(id)}?after=${after}&limit=${limit}`;
    return readJSON(await send(path, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) }));
}

/**
 * Removes a job with its results; pictures that have not begun are not run. One that is gone already is no error.
 * @param {string} id
 * @throws {import("./api.js").ServerProblem}
 */
export async function deleteJob(id) {
    try {
        const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
        await send(`v1/jobs/${encodeURIComponent(id)}`, { method: "DELETE", signal });
    } catch (problem) {
        if (problem.status !== 404) throw problem;
    }
}

/**
 * Where a job's results come as they are there.
 * @param {string} id
 * @param {number} after the last result that is known; 0: none
 */
export function eventsAddress(id, after) {
    return new URL(`v1/jobs/${encodeURIComponent(id)}/events?after=${after}`, document.baseURI).href;
}

// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { ArchiveProblem, filesIn } from "./archive.js";

/** What the server reads, by the endings that pictures have. */
const TYPES = new Map([
    ["jpg", "image/jpeg"], ["jpeg", "image/jpeg"], ["png", "image/png"], ["webp", "image/webp"], ["gif", "image/gif"],
    ["tif", "image/tiff"], ["tiff", "image/tiff"], ["heic", "image/heic"], ["heif", "image/heif"],
    ["avif", "image/avif"], ["bmp", "image/bmp"],
]);

/** So many files are looked at one by one; more become a list. */
export const MOST_SINGLE_FILES = 24;

const ENTRIES_AT_ONCE = 64;

/**
 * A file of a folder or a zip, by its path from there.
 * @typedef {{name: string, file: File | import("./archive.js").ArchivedFile}} NamedFile
 *
 * What was dropped or chosen, looked through.
 * @typedef {object} Gathered
 * @property {string} name of the folder or zip, or of all files together
 * @property {NamedFile[]} pictures in the order of their paths
 * @property {number} passedOver files that are no pictures
 * @property {string[]} problems why something could not be looked through
 */

/**
 * The folders and files that a drop carries. To be called within the event: afterwards the browser has taken them back.
 * @param {DataTransfer} dataTransfer
 * @returns {{files: File[], entries: FileSystemEntry[], isFolder: boolean}}
 */
export function carried(dataTransfer) {
    const items = [...dataTransfer.items].filter(({ kind }) => kind === "file");
    const entries = items.map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const isFolder = entries.some(({ isDirectory }) => isDirectory);
    return { files: [...dataTransfer.files], entries, isFolder };
}

/**
 * Whether files are so many, or such, that they become a list.
 * @param {File[]} files
 */
export function areMany(files) {
    return files.length > MOST_SINGLE_FILES || files.some(isArchive);
}

/**
 * Looks through folders, and all below them.
 * @param {FileSystemEntry[]} entries
 * @param {(count: number) => void} onProgress pictures found so far
 * @returns {Promise<Gathered>}
 */
export async function gatherEntries(entries, onProgress) {
    const problems = [];
    const files = [];
    const waiting = [...entries];
    const look = async (entry) => {
        const name = entry.fullPath.replace(/^\/+/, "");
        try {
            if (!entry.isDirectory) files.push({ name, file: await fileOf(entry) });
            else for (const child of await childrenOf(entry)) waiting.push(child);
        } catch {
            problems.push(`‘${name}’ can’t be read.`);
        }
    };
    while (waiting.length > 0) {
        await Promise.all(waiting.splice(-ENTRIES_AT_ONCE).map(look));
        onProgress(files.length);
    }
    const folders = entries.filter(({ isDirectory }) => isDirectory);
    return gather(files, { name: nameOf(folders.length === 1 ? [folders[0].name] : []), problems });
}

/**
 * Looks through files: chosen by name, as a folder, or as zips.
 * @param {File[]} files
 * @returns {Promise<Gathered>}
 */
export async function gatherFiles(files) {
    const named = files.map((file) => ({ name: file.webkitRelativePath || file.name, file }));
    const folders = new Set(named.map(({ name }) => (name.includes("/") ? name.split("/")[0] : "")));
    const names = files.length === 1 ? [files[0].name] : [...folders];
    return gather(named, { name: nameOf(names), problems: [] });
}

async function gather(files, { name, problems }) {
    const pictures = [];
    let passedOver = 0;
    const take = (named) => {
        if (isHidden(named.name)) return;
        if (isPicture(named)) pictures.push(named);
        else passedOver += 1;
    };
    for (const named of files) {
        const isInFolder = named.name.includes("/");
        if (isInFolder || !isArchive(named.file)) {
            take(named);
            continue;
        }
        try {
            for (const file of await filesIn(named.file)) take({ name: file.name, file });
        } catch (error) {
            const isKnown = error instanceof ArchiveProblem;
            problems.push(isKnown ? `${named.name}: ${error.message}` : `‘${named.name}’ can’t be read.`);
        }
    }
    pictures.sort((one, other) => byPath(one.name, other.name));
    return { name, pictures, passedOver, problems };
}

/** The order of paths, in which 10 comes after 9. */
export const byPath = new Intl.Collator("en", { numeric: true }).compare;

/**
 * What a picture is, by its ending.
 * @param {string} name
 */
export function typeOf(name) {
    return TYPES.get(name.split(".").at(-1).toLowerCase()) ?? "";
}

function isPicture({ name, file }) {
    return typeOf(name) !== "" || (file.type ?? "").startsWith("image/");
}

/** Files that systems keep for themselves, some of which are called like pictures. */
function isHidden(name) {
    return name.split("/").some((part) => part.startsWith(".") || part === "__MACOSX");
}

function isArchive({ name, type }) {
    return type === "application/zip" || type === "application/x-zip-compressed" || /\.zip$/i.test(name);
}

function nameOf(names) {
    return names.length === 1 && names[0] ? names[0].replace(/\.zip$/i, "") : "pictures";
}

/** The reader gives a hundred at a time, and an empty list at the end. */
async function childrenOf(directory) {
    const reader = directory.createReader();
    const children = [];
    for (;;) {
        const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
        if (some.length === 0) return children;
        children.push(...some);
    }
}

function fileOf(entry) {
    return new Promise((resolve, reject) => entry.file(resolve, reject));
}

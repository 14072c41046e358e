// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/** What a zip is read by: PKWARE's APPNOTE.TXT, sections 4.3.7 to 4.3.16 and 4.5.3. */
const END_RECORD = { signature: 0x06054b50, length: 22 };
const WIDE_LOCATOR = { signature: 0x07064b50, length: 20 };
const WIDE_END_RECORD = { signature: 0x06064b50, length: 56 };
const CENTRAL_HEADER = { signature: 0x02014b50, length: 46 };
const LOCAL_HEADER = { signature: 0x04034b50, length: 30 };

const LONGEST_COMMENT = 0xffff;
const WIDE = 0xffffffff;
const WIDE_FIELD = 0x0001;
const METHOD = { stored: 0, deflated: 8 };
const FLAG = { encrypted: 1, unicode: 1 << 11 };

/** A table of contents beyond this is no folder of pictures. */
const MOST_DIRECTORY_BYTES = 64 << 20;

/** A picture that grows beyond this when unpacked is not unpacked to its end. */
const MOST_PICTURE_BYTES = 256 << 20;

/** Why a zip, or a file in one, can't be read; in words for a person. */
export class ArchiveProblem extends Error {}

/** One file in a zip, which is read only when it is asked for. */
export class ArchivedFile {
    #archive;
    #entry;

    /**
     * @param {Blob} archive
     * @param {{name: string, method: number, flags: number, packed: number, size: number, offset: number}} entry
     */
    constructor(archive, entry) {
        this.#archive = archive;
        this.#entry = entry;
    }

    /** Its path in the zip. */
    get name() {
        return this.#entry.name;
    }

    /** Its bytes when unpacked, as the zip says. */
    get size() {
        return this.#entry.size;
    }

    /**
     * @param {string} type what it is taken for
     * @returns {Promise<Blob>} its content
     * @throws {ArchiveProblem}
     */
    async open(type = "") {
        const { name, method, flags, packed, size, offset } = this.#entry;
        if (flags & FLAG.encrypted) throw new ArchiveProblem(`‘${name}’ is encrypted; pack it without a password.`);
        if (method !== METHOD.stored && method !== METHOD.deflated) {
            throw new ArchiveProblem(`‘${name}’ is packed by a method that browsers don’t have; pack it as plain zip.`);
        }
        if (size > MOST_PICTURE_BYTES) throw new ArchiveProblem(`‘${name}’ is too large when unpacked.`);
        const header = await view(this.#archive, offset, LOCAL_HEADER.length);
        if (!begins(header, LOCAL_HEADER)) throw new ArchiveProblem(`The zip is damaged at ‘${name}’.`);
        const start = offset + LOCAL_HEADER.length + header.getUint16(26, true) + header.getUint16(28, true);
        const content = this.#archive.slice(start, start + packed, type);
        if (content.size !== packed) throw new ArchiveProblem(`The zip ends before ‘${name}’ does.`);
        return method === METHOD.stored ? content : inflate(content, { name, size, type });
    }
}

/**
 * The files in a zip, folders left out, in the zip's order.
 * @param {Blob} archive
 * @returns {Promise<ArchivedFile[]>}
 * @throws {ArchiveProblem}
 */
export async function filesIn(archive) {
    const { offset, length } = await directoryOf(archive);
    if (length > MOST_DIRECTORY_BYTES) throw new ArchiveProblem("The zip lists more files than can be read here.");
    const directory = await view(archive, offset, length);
    const files = [];
    let place = 0;
    while (place + CENTRAL_HEADER.length <= directory.byteLength && begins(directory, CENTRAL_HEADER, place)) {
        const { entry, end } = readEntry(directory, place);
        if (entry && !entry.name.endsWith("/")) files.push(new ArchivedFile(archive, entry));
        place = end;
    }
    if (place < length) throw new ArchiveProblem("The zip’s table of contents is damaged.");
    return files;
}

async function directoryOf(archive) {
    const tailStart = Math.max(0, archive.size - LONGEST_COMMENT - END_RECORD.length);
    const tail = await view(archive, tailStart, archive.size - tailStart);
    const record = endRecord(tail);
    if (record === null) throw new ArchiveProblem("This is no zip, or its end is missing.");
    const length = tail.getUint32(record + 12, true);
    const offset = tail.getUint32(record + 16, true);
    const locator = record - WIDE_LOCATOR.length;
    if (locator < 0 || !begins(tail, WIDE_LOCATOR, locator)) return { offset, length };
    const wide = await view(archive, readLong(tail, locator + 8), WIDE_END_RECORD.length);
    if (!begins(wide, WIDE_END_RECORD)) throw new ArchiveProblem("The zip’s table of contents can’t be found.");
    return { offset: readLong(wide, 48), length: readLong(wide, 40) };
}

/** The place of the record whose comment reaches to the very end, as the true one's does. */
function endRecord(tail) {
    for (let place = tail.byteLength - END_RECORD.length; place >= 0; place -= 1) {
        if (!begins(tail, END_RECORD, place)) continue;
        if (place + END_RECORD.length + tail.getUint16(place + 20, true) === tail.byteLength) return place;
    }
    return null;
}

function readEntry(directory, place) {
    const nameLength = directory.getUint16(place + 28, true);
    const extraLength = directory.getUint16(place + 30, true);
    const nameStart = place + CENTRAL_HEADER.length;
    const extraStart = nameStart + nameLength;
    const end = extraStart + extraLength + directory.getUint16(place + 32, true);
    if (extraStart + extraLength > directory.byteLength) return { entry: null, end: directory.byteLength };
    const flags = directory.getUint16(place + 8, true);
    const entry = {
        flags,
        method: directory.getUint16(place + 10, true),
        packed: directory.getUint32(place + 20, true),
        size: directory.getUint32(place + 24, true),
        offset: directory.getUint32(place + 42, true),
        name: decodeName(new Uint8Array(directory.buffer, directory.byteOffset + nameStart, nameLength), flags),
    };
    widen(entry, directory, extraStart, extraStart + extraLength);
    return { entry, end };
}

/** Numbers that need more than 32 bits stand in a field of their own, only those that do, in this order. */
function widen(entry, directory, start, end) {
    for (let place = start; place + 4 <= end; place += 4 + directory.getUint16(place + 2, true)) {
        if (directory.getUint16(place, true) !== WIDE_FIELD) continue;
        const fieldEnd = Math.min(end, place + 4 + directory.getUint16(place + 2, true));
        let number = place + 4;
        for (const key of ["size", "packed", "offset"]) {
            if (entry[key] !== WIDE || number + 8 > fieldEnd) continue;
            entry[key] = readLong(directory, number);
            number += 8;
        }
    }
}

/** UTF-8 where the zip says so or where it fits; of the older code pages only the letters they share are sure. */
function decodeName(bytes, flags) {
    const isUnicode = (flags & FLAG.unicode) !== 0;
    let name;
    try {
        name = new TextDecoder("utf-8", { fatal: !isUnicode }).decode(bytes);
    } catch {
        name = new TextDecoder("windows-1252").decode(bytes);
    }
    return name.replaceAll("\\", "/");
}

async function inflate(content, { name, size, type }) {
    if (typeof DecompressionStream === "undefined") {
        throw new ArchiveProblem("This browser can’t unpack zips; add the folder itself.");
    }
    const reader = content.stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
    const pieces = [];
    let length = 0;
    try {
        for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
            length += piece.value.byteLength;
            if (length > size) break;
            pieces.push(piece.value);
        }
    } catch {
        throw new ArchiveProblem(`‘${name}’ is damaged in the zip.`);
    }
    if (length > size) reader.cancel().catch(() => {});
    if (length !== size) throw new ArchiveProblem(`‘${name}’ is not as long as the zip says.`);
    return new Blob(pieces, { type });
}

async function view(blob, offset, length) {
    if (offset + length > blob.size) throw new ArchiveProblem("The zip is cut short.");
    return new DataView(await blob.slice(offset, offset + length).arrayBuffer());
}

function begins(bytes, { signature, length }, place = 0) {
    return place + length <= bytes.byteLength && bytes.getUint32(place, true) === signature;
}

function readLong(bytes, place) {
    return Number(bytes.getBigUint64(place, true));
}

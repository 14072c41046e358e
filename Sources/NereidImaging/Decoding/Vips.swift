// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import CVips

/// The libvips library, started once.
enum Vips {
    /// Starts libvips the first time it is read. False when it could not start.
    static let isStarted: Bool = {
        guard vips_init("nereid") == 0 else { return false }
        // Loaders that are not hardened against hostile files are out of reach, even by mistake.
        vips_block_untrusted_set(1)
        // Every upload is new, so a cache of operations would only hold memory.
        vips_cache_set_max(0)
        // Parallelism comes from decoding several pictures at once on the pool's threads.
        vips_concurrency_set(1)
        cvips_silence_warnings()
        return true
    }()

    /// Takes what libvips has said about its last error, on one line.
    ///
    /// libvips keeps these words in one place for all threads: they explain, but nothing may depend on them.
    static func takeErrorMessage() -> String {
        guard let words = vips_error_buffer_copy() else { return unknownReason }
        defer { g_free(words) }
        // A broken file can make a loader complain a hundred times; the last lines tell why it gave up.
        let lines = String(cString: words)
            .split(whereSeparator: \.isNewline)
            .reduce(into: [Substring]()) { lines, line in
                if !lines.contains(line) { lines.append(line) }
            }
        return lines.isEmpty ? unknownReason : lines.suffix(3).joined(separator: "; ")
    }

    private static let unknownReason = "it does not follow the format's rules"

    /// Whether libvips was built with an operation, by its internal name such as `heifload_buffer`.
    static func has(operation name: String) -> Bool {
        vips_type_find("VipsOperation", name) != 0
    }
}

/// Owns one reference to a libvips image.
struct VipsImageOwner: ~Copyable {
    let image: UnsafeMutablePointer<VipsImage>

    init(_ image: UnsafeMutablePointer<VipsImage>) {
        self.image = image
    }

    deinit {
        g_object_unref(image)
    }

    var size: PixelSize {
        PixelSize(width: Int(vips_image_get_width(image)), height: Int(vips_image_get_height(image)))
    }

    /// Hands over the picture strip by strip, from the top, without a copy of the whole.
    ///
    /// - Parameters:
    ///   - rows: The height of a strip; the last one may be lower.
    ///   - body: Gets the number of a row, and the row as it lies in memory. May throw to stop.
    /// - Returns: False when libvips failed; the reason is in ``Vips/takeErrorMessage()``.
    func forEachRow(
        strip rows: Int = 16,
        _ body: (Int, UnsafeRawPointer) throws(ImagingError) -> Void
    ) throws(ImagingError) -> Bool {
        guard let region = vips_region_new(image) else { return false }
        defer { g_object_unref(region) }
        let size = size
        for top in stride(from: 0, to: size.height, by: rows) {
            let height = min(rows, size.height - top)
            var strip = VipsRect(left: 0, top: CInt(top), width: CInt(size.width), height: CInt(height))
            guard vips_region_prepare(region, &strip) == 0 else { return false }
            for y in top..<top + height {
                guard let row = cvips_region_row(region, CInt(y)) else { return false }
                try body(y, UnsafeRawPointer(row))
            }
        }
        return true
    }
}

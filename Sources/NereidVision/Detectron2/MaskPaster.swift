// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

/// Enlarges the small mask of a region to its box in a picture.
///
/// A pixel belongs to the object when the mask, read between its cells at the middle of the pixel, is at least one half;
/// outside of the mask it is zero. `_do_paste_mask` in Detectron2's `layers/mask_ops.py`, PyTorch's `grid_sample` with
/// `align_corners=False`.
struct MaskPaster {
    /// The size of the picture.
    let picture: PixelSize

    /// The object's pixels.
    ///
    /// - Parameters:
    ///   - probabilities: a square of 0…1, row by row.
    ///   - side: its side.
    ///   - box: where it goes, in pixels of the picture.
    ///   - limit: when the work must stop; looked at for every column of the picture. Default: not before it has ended.
    /// - Throws: what the limit throws.
    func mask(
        _ probabilities: [Float],
        side: Int,
        box: Box,
        limit: WorkLimit = .unlimited
    ) throws(ImagingError) -> Mask {
        var builder = MaskBuilder(size: picture)
        guard box.isFinite, box.width > 0, box.height > 0 else { return builder.mask() }
        let columns = taps(from: box.x1, to: box.x2, side: side, limit: picture.width)
        let rows = taps(from: box.y1, to: box.y2, side: side, limit: picture.height)
        var line = [Float](repeating: 0, count: side)
        for column in columns {
            try limit.check()
            for row in 0..<side {
                let start = row * side
                line[row] =
                    (column.first >= 0 ? probabilities[start + column.first] * column.firstWeight : 0)
                    + (column.second < side ? probabilities[start + column.second] * column.secondWeight : 0)
            }
            var runStart: Int?
            for row in rows {
                let value =
                    (row.first >= 0 ? line[row.first] * row.firstWeight : 0)
                    + (row.second < side ? line[row.second] * row.secondWeight : 0)
                if value >= 0.5 {
                    runStart = runStart ?? row.pixel
                } else if let start = runStart {
                    builder.add(column: column.pixel, rows: start..<row.pixel)
                    runStart = nil
                }
            }
            if let start = runStart, let last = rows.last {
                builder.add(column: column.pixel, rows: start..<last.pixel + 1)
            }
        }
        return builder.mask()
    }

    /// Which two cells a column (or row) of the picture is mixed from; those outside of the mask count as zero.
    private struct Tap {
        let pixel: Int
        let first: Int
        let second: Int
        let firstWeight: Float
        let secondWeight: Float
    }

    /// The columns (or rows) whose middle reads something of the mask.
    private func taps(from start: Float, to end: Float, side: Int, limit: Int) -> [Tap] {
        let first = Int(min(max((start - 1).rounded(.down), 0), Float(limit)))
        let last = Int(min(max((end + 1).rounded(.up), 0), Float(limit)))
        guard first < last else { return [] }
        return (first..<last).compactMap { pixel in
            // Between −1 and 1 over the box, and from there to cells, as it is done there.
            let place = (Float(pixel) + 0.5 - start) / (end - start) * 2 - 1
            let position = ((place + 1) * Float(side) - 1) / 2
            let cell = position.rounded(.down)
            guard cell >= -1, cell < Float(side) else { return nil }
            let part = position - cell
            return Tap(
                pixel: pixel,
                first: Int(cell),
                second: Int(cell) + 1,
                firstWeight: 1 - part,
                secondWeight: part
            )
        }
    }
}

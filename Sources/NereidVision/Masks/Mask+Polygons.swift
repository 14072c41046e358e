// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NereidImaging

extension Mask {
    /// The outer borders of the object's parts, each a closed polygon that is not repeated at its end, in pixels of the
    /// picture.
    ///
    /// A border runs along the edges of pixels, so that its corners are whole numbers and it holds exactly the pixels
    /// inside, holes included: holes have no polygon. Parts that touch at a corner only are parts by themselves. The part
    /// whose leftmost pixel comes first is first.
    public var polygons: [[Point]] { outerBorders({}) }

    private func outerBorders<Stop: Error>(_ check: () throws(Stop) -> Void) throws(Stop) -> [[Point]] {
        try borders(check).compactMap { border in
            // Outer borders go clockwise as pictures are seen, those of holes the other way round.
            Self.signedArea(border) > 0 ? border.map { Point(x: Float($0.x), y: Float($0.y)) } : nil
        }
    }

    /// The same with fewer corners: none of those left out is further from a polygon than this, in pixels.
    ///
    /// At three quarters of a pixel the stairs of a slanted border become straight (Douglas and Peucker, “Algorithms for the
    /// reduction of the number of points required to represent a digitized line or its caricature”, 1973). Polygons that
    /// would shrink to fewer than three corners stay as they are.
    public func polygons(within tolerance: Float) -> [[Point]] {
        polygons(within: tolerance, check: {})
    }

    /// The same, as long as nobody stops it.
    ///
    /// - Parameter limit: looked at for every column of the picture and every piece of a border.
    /// - Throws: what the limit throws.
    public func polygons(within tolerance: Float, limit: WorkLimit) throws(ImagingError) -> [[Point]] {
        try polygons(within: tolerance, check: limit.check)
    }

    private func polygons<Stop: Error>(
        within tolerance: Float,
        check: () throws(Stop) -> Void
    ) throws(Stop) -> [[Point]] {
        var polygons: [[Point]] = []
        for polygon in try outerBorders(check) {
            // In pieces, so that the longest border takes no more than a multiple of its length.
            let piece = 512
            var kept: [Point] = []
            for start in stride(from: 0, to: polygon.count, by: piece) {
                try check()
                let end = min(start + piece, polygon.count)
                let way = Array(polygon[start..<end]) + [polygon[end % polygon.count]]
                kept += Self.simplified(way, within: tolerance).dropLast()
            }
            polygons.append(kept.count < 3 ? polygon : kept)
        }
        return polygons
    }

    /// A way with fewer corners, its ends kept.
    private static func simplified(_ way: [Point], within tolerance: Float) -> [Point] {
        var isKept = [Bool](repeating: false, count: way.count)
        (isKept[0], isKept[way.count - 1]) = (true, true)
        var left = [0..<way.count - 1]
        while let part = left.popLast() {
            let (a, b) = (way[part.lowerBound], way[part.upperBound])
            let (dx, dy) = (b.x - a.x, b.y - a.y)
            let length = (dx * dx + dy * dy).squareRoot()
            var furthest = (index: 0, distance: tolerance)
            for index in part.dropFirst() {
                let (x, y) = (way[index].x - a.x, way[index].y - a.y)
                let distance = length > 0 ? abs(dx * y - dy * x) / length : (x * x + y * y).squareRoot()
                if distance > furthest.distance { furthest = (index, distance) }
            }
            guard furthest.index > 0 else { continue }
            isKept[furthest.index] = true
            left.append(part.lowerBound..<furthest.index)
            left.append(furthest.index..<part.upperBound)
        }
        return way.indices.filter { isKept[$0] }.map { way[$0] }
    }

    /// A corner between pixels.
    struct Corner: Hashable {
        var x: Int
        var y: Int
    }

    /// Every border, of parts and of holes, with the inside to the right of the way along it.
    var borders: [[Corner]] { borders({}) }

    private func borders<Stop: Error>(_ check: () throws(Stop) -> Void) throws(Stop) -> [[Corner]] {
        var edges = EdgeMap()
        try forEachEdge(check) { edges.add(from: $0, to: $1) }
        return try edges.traced(check)
    }

    /// Twice the area within a polygon; positive when it goes clockwise as pictures are seen.
    static func signedArea(_ polygon: [Corner]) -> Int {
        polygon.indices.reduce(0) { sum, index in
            let (a, b) = (polygon[index], polygon[(index + 1) % polygon.count])
            return sum + a.x * b.y - b.x * a.y
        }
    }

    /// The straight edges between inside and outside, the inside to their right.
    private func forEachEdge<Stop: Error>(
        _ check: () throws(Stop) -> Void,
        _ body: (Corner, Corner) -> Void
    ) throws(Stop) {
        var columns: [(column: Int, rows: [Range<Int>])] = []
        forEachColumnRun { column, rows in
            if columns.last?.column == column {
                columns[columns.count - 1].rows.append(rows)
            } else {
                columns.append((column, [rows]))
            }
        }
        for (index, (column, rows)) in columns.enumerated() {
            try check()
            for run in rows {
                body(Corner(x: column, y: run.lowerBound), Corner(x: column + 1, y: run.lowerBound))
                body(Corner(x: column + 1, y: run.upperBound), Corner(x: column, y: run.upperBound))
            }
            let left = index > 0 && columns[index - 1].column == column - 1 ? columns[index - 1].rows : []
            let right =
                index + 1 < columns.count && columns[index + 1].column == column + 1 ? columns[index + 1].rows : []
            // Up along the left side where the neighbour is outside, down along the right one.
            for gap in Self.difference(rows, left) {
                body(Corner(x: column, y: gap.upperBound), Corner(x: column, y: gap.lowerBound))
            }
            for gap in Self.difference(rows, right) {
                body(Corner(x: column + 1, y: gap.lowerBound), Corner(x: column + 1, y: gap.upperBound))
            }
        }
    }

    /// What of `rows` is in none of `others`; both in order and without overlaps.
    private static func difference(_ rows: [Range<Int>], _ others: [Range<Int>]) -> [Range<Int>] {
        var gaps: [Range<Int>] = []
        var next = 0
        for run in rows {
            var start = run.lowerBound
            while next < others.count, others[next].upperBound <= start { next += 1 }
            var other = next
            while other < others.count, others[other].lowerBound < run.upperBound {
                if others[other].lowerBound > start { gaps.append(start..<others[other].lowerBound) }
                start = max(start, others[other].upperBound)
                other += 1
            }
            if start < run.upperBound { gaps.append(start..<run.upperBound) }
        }
        return gaps
    }
}

/// Edges by where they start, to be put together to closed ways.
private struct EdgeMap {
    private var edges: [(start: Mask.Corner, end: Mask.Corner)] = []
    /// The edges that start at a corner: one, or two where two pixels touch.
    private var leaving: [Mask.Corner: [Int]] = [:]

    mutating func add(from start: Mask.Corner, to end: Mask.Corner) {
        leaving[start, default: []].append(edges.count)
        edges.append((start, end))
    }

    /// The closed ways, each edge used once, without corners on straight lines.
    ///
    /// - Parameter check: called for every way and every 4096 edges of one; may throw to stop.
    func traced<Stop: Error>(_ check: () throws(Stop) -> Void) throws(Stop) -> [[Mask.Corner]] {
        var isUsed = [Bool](repeating: false, count: edges.count)
        var ways: [[Mask.Corner]] = []
        for first in edges.indices where !isUsed[first] {
            var way: [Mask.Corner] = []
            var edge = first
            var steps = 0
            while !isUsed[edge] {
                if steps.isMultiple(of: 4096) { try check() }
                steps += 1
                isUsed[edge] = true
                let next = follower(of: edge)
                if turn(edge, next) != 0 { way.append(edges[edge].end) }
                edge = next
            }
            ways.append(way)
        }
        return ways
    }

    /// Where there is a choice the way turns right, towards the inside it came along, so that parts which touch at a
    /// corner stay apart.
    private func follower(of edge: Int) -> Int {
        let choices = leaving[edges[edge].end] ?? []
        return choices.first { choices.count == 1 || turn(edge, $0) > 0 } ?? edge
    }

    /// Above zero for a turn to the right.
    private func turn(_ edge: Int, _ next: Int) -> Int {
        let (a, b, c) = (edges[edge].start, edges[edge].end, edges[next].end)
        return (b.x - a.x) * (c.y - b.y) - (b.y - a.y) * (c.x - b.x)
    }
}

// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidJobs

@Suite("Whose turn it is")
struct BulkScheduleTests {
    typealias Place = BulkSchedule.Place

    /// The pictures that come out one after another while each is done at once.
    static func order(_ schedule: inout BulkSchedule, most: Int = 100) -> [String] {
        var order: [String] = []
        while order.count < most, let place = schedule.next(window: { _ in 1 }) {
            order.append("\(place.job)/\(place.position)")
            schedule.finish(place)
        }
        return order
    }

    @Test("each job has one picture in turn, the oldest job first")
    func fairness() {
        var schedule = BulkSchedule()
        schedule.add(1, model: "m", fresh: [0, 1, 2, 3])
        schedule.add(2, model: "m", fresh: [0, 1])
        #expect(Self.order(&schedule, most: 3) == ["1/0", "2/0", "1/1"])
        schedule.add(3, model: "m", fresh: [0])
        #expect(Self.order(&schedule) == ["2/1", "1/2", "3/0", "1/3"])
        #expect(schedule.models.isEmpty && schedule.runningCount == 0)
    }

    @Test("a small job that comes after ten thousand pictures is done within a few turns")
    func small() {
        var schedule = BulkSchedule()
        schedule.add(1, model: "m", fresh: Array(0..<10_000))
        schedule.add(2, model: "m", fresh: [0, 1, 2])
        let last = Self.order(&schedule, most: 10).lastIndex { $0.hasPrefix("2/") }
        #expect(last == 5)
    }

    @Test("of each model so many run as its window says, and a model without one waits")
    func windows() {
        var schedule = BulkSchedule()
        schedule.add(1, model: "a", fresh: Array(0..<5))
        schedule.add(2, model: "b", fresh: Array(0..<5))
        schedule.add(3, model: "c", fresh: Array(0..<5))
        var begun: [Place] = []
        while let place = schedule.next(window: { ["a": 2, "b": 3][$0] ?? 0 }) { begun.append(place) }
        #expect(begun.map(\.job).sorted() == [1, 1, 2, 2, 2])
        #expect(schedule.runningCount == 5)
        schedule.finish(Place(job: 1, position: 0))
        #expect(schedule.next(window: { ["a": 2, "b": 3][$0] ?? 0 }) == Place(job: 1, position: 2))
        #expect(schedule.next(window: { ["a": 1, "b": 1, "c": 1][$0] ?? 0 }) == Place(job: 3, position: 0))
        #expect(schedule.models == ["a", "b", "c"])
    }

    @Test("suspects run alone, before the others")
    func suspects() {
        var schedule = BulkSchedule()
        schedule.add(1, model: "m", fresh: [0, 1])
        schedule.add(2, model: "m", fresh: [2], suspects: [0, 1])
        #expect(schedule.next(window: { _ in 9 }) == Place(job: 2, position: 0))
        #expect(schedule.next(window: { _ in 9 }) == nil)
        schedule.finish(Place(job: 2, position: 0))
        #expect(schedule.next(window: { _ in 9 }) == Place(job: 2, position: 1))
        schedule.putBack(Place(job: 2, position: 1))
        // Still one.
        #expect(schedule.next(window: { _ in 9 }) == Place(job: 2, position: 1))
        #expect(schedule.next(window: { _ in 9 }) == nil)
        schedule.finish(Place(job: 2, position: 1))
        let rest = (0..<4).map { _ in schedule.next(window: { _ in 9 }) }
        #expect(rest.compactMap(\.self).count == 3 && rest[3] == nil)
    }

    @Test("a suspect waits until nothing else runs, and meanwhile nothing is begun")
    func drained() {
        var schedule = BulkSchedule()
        schedule.add(1, model: "m", fresh: [0, 1])
        #expect(schedule.next(window: { _ in 9 }) == Place(job: 1, position: 0))
        schedule.add(2, model: "m", fresh: [], suspects: [0])
        #expect(schedule.next(window: { _ in 9 }) == nil)
        schedule.finish(Place(job: 1, position: 0))
        #expect(schedule.next(window: { _ in 9 }) == Place(job: 2, position: 0))
    }

    @Test("a suspect whose model can't be used keeps nobody else waiting")
    func absentSuspect() {
        var schedule = BulkSchedule()
        schedule.add(1, model: "gone", fresh: [], suspects: [0])
        schedule.add(2, model: "m", fresh: [0, 1])
        #expect(schedule.next(window: { $0 == "m" ? 9 : 0 })?.job == 2)
        #expect(schedule.next(window: { $0 == "m" ? 9 : 0 })?.job == 2)
    }

    @Test("a picture that is put back comes next of its job, also when it was the last")
    func puttingBack() {
        var schedule = BulkSchedule()
        schedule.add(1, model: "m", fresh: [0, 1])
        for _ in 0..<2 { _ = schedule.next(window: { _ in 9 }) }
        schedule.putBack(Place(job: 1, position: 1))
        schedule.putBack(Place(job: 1, position: 0))
        // One that does not run is not put back.
        schedule.putBack(Place(job: 1, position: 0))
        #expect(Self.order(&schedule) == ["1/0", "1/1"])
    }

    @Test("a job that is removed says what of it runs, and nothing more of it comes")
    func removal() {
        var schedule = BulkSchedule()
        schedule.add(1, model: "m", fresh: [0, 1, 2])
        schedule.add(2, model: "m", fresh: [0])
        _ = schedule.next(window: { _ in 9 })
        #expect(schedule.remove(1) == [Place(job: 1, position: 0)])
        #expect(schedule.knows(1))
        schedule.finish(Place(job: 1, position: 0))
        #expect(!schedule.knows(1))
        #expect(schedule.remove(1).isEmpty)
        #expect(Self.order(&schedule) == ["2/0"])
    }

    @Test("a job that is known, or has nothing to do, is not added")
    func adding() {
        var schedule = BulkSchedule()
        schedule.add(1, model: "m", fresh: [0])
        schedule.add(1, model: "m", fresh: [0])
        schedule.add(2, model: "m", fresh: [])
        #expect(Self.order(&schedule) == ["1/0"])
        #expect(!schedule.knows(2))
    }

    @Test("every sequence of seven events runs each picture once at a time, within its window")
    func everySequence() {
        for sequence in 0..<(5 * 5 * 5 * 5 * 5 * 5 * 5) {
            var schedule = BulkSchedule()
            var (code, running, ended) = (sequence, [Place](), Set<Place>())
            var isRight = true
            for step in 0..<7 {
                switch code % 5 {
                case 0: schedule.add(Int64(step), model: "m", fresh: [0, 1])
                case 1: schedule.add(Int64(step), model: "m", fresh: [0], suspects: [1])
                case 2:
                    guard let place = schedule.next(window: { _ in 2 }) else { break }
                    isRight = isRight && !running.contains(place) && !ended.contains(place)
                    running.append(place)
                case 3:
                    guard let place = running.popLast() else { break }
                    schedule.finish(place)
                    ended.insert(place)
                default:
                    guard let place = running.popLast() else { break }
                    schedule.putBack(place)
                }
                isRight = isRight && running.count <= 2 && schedule.runningCount == running.count
                code /= 5
            }
            guard isRight else {
                Issue.record("sequence \(sequence)")
                return
            }
        }
    }
}

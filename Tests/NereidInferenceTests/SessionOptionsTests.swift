// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidInference

@Suite struct SessionOptionsTests {
    @Test(arguments: [
        (nil, nil, 8, 8, 1),
        (nil, 2, 8, 4, 2),
        (nil, 3, 8, 2, 3),
        (1, nil, 8, 1, 8),
        (3, nil, 8, 3, 2),
        (16, nil, 8, 16, 1),
        (nil, 16, 8, 1, 16),
        (5, 7, 8, 5, 7),
        (nil, nil, 1, 1, 1),
    ])
    func dividesTheCores(instances: Int?, threads: Int?, cores: Int, givesInstances: Int, givesThreads: Int) throws {
        let size = try SessionOptions(instances: instances, threads: threads).size(on: .cpu, cores: cores)
        #expect(size == SessionSize(instances: givesInstances, threads: givesThreads))
    }

    @Test func givesAGPUOneInstance() throws {
        #expect(try SessionOptions().size(on: .cuda(0), cores: 8) == SessionSize(instances: 1, threads: 1))
        #expect(try SessionOptions(instances: 3).size(on: .cuda(0), cores: 8).instances == 3)
    }

    @Test func sharesOneCopyAmongOneThreadInstances() {
        #expect(SessionSize(instances: 4, threads: 1).copies == 1)
        #expect(SessionSize(instances: 4, threads: 2).copies == 4)
    }

    @Test(arguments: [0, -1, 257])
    func refusesNumbersOutOfRange(_ value: Int) {
        let instances = InferenceError.optionOutOfRange(name: "instances", value: value, allowed: 1...256)
        #expect(throws: instances) { try SessionOptions(instances: value).size(on: .cpu) }
        let threads = InferenceError.optionOutOfRange(name: "threads", value: value, allowed: 1...256)
        #expect(throws: threads) { try SessionOptions(threads: value).size(on: .cpu) }
        #expect("\(threads)" == "threads is \(value); it must lie in 1…256")
    }

    @Test(arguments: [
        ("auto", Device.auto), ("cpu", .cpu), ("CPU", .cpu), ("cuda", .cuda(0)), ("gpu", .cuda(0)),
        ("cuda:0", .cuda(0)), ("cuda:3", .cuda(3)), ("GPU:1", .cuda(1)),
    ])
    func readsDevices(_ description: String, _ device: Device) {
        #expect(Device(description) == device)
        #expect(Device(device.description) == device)
    }

    @Test(arguments: ["", "cuda:", "cuda:-1", "cuda:x", "cuda:0:1", "cpu:0", "auto:1", "tpu", " cpu"])
    func refusesOtherDevices(_ description: String) {
        #expect(Device(description) == nil)
    }
}

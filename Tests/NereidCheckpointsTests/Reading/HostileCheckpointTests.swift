// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidCheckpoints
import Testing

/// Hostile and broken files against what is expected of each (`reference/hostile/MANIFEST.md`).
@Suite(.enabled(if: SharedFolder.isThere, SharedFolder.absence), .serialized)
struct HostileCheckpointTests {
    /// Files that no reader can take, and what is said about each.
    static let refused: [(file: String, message: String)] = [
        ("deep_mark_nesting.pt", "nested collections"),
        ("deep_tuple_nesting.pt", "nested collections"),
        ("exec_plain_pickle.pt", "a pickle without a single tensor"),
        ("frame_huge.pt", "a length of 4611686018427387904 bytes is given"),
        ("legacy_bad_magic.pt", "which is not that of a file of torch.save"),
        ("legacy_truncated.pt", "but the file ends after"),
        ("len_binunicode8_huge.pt", "a length of 9223372036854775807 bytes is given"),
        ("len_long4_negative.pt", "a length of -1 bytes is given"),
        ("not_empty.pt", "an empty file"),
        ("not_lfs_pointer.pt", "a Git LFS pointer"),
        ("not_torchscript.pt", "a TorchScript program"),
        ("op_bad_utf8.pt", "a text is not UTF-8"),
        ("op_no_stop.pt", "the pickle ends without its STOP opcode"),
        ("op_setitem_odd.pt", "a dictionary is given a key without a value"),
        ("op_unknown.pt", "0xff is no opcode of a pickle"),
        ("persid_not_storage.pt", "‘file’ is kept outside of the pickle"),
        ("pkl_empty.pt", "the pickle ends without its STOP opcode"),
        ("tensor_dtype_unknown.pt", "a storage of the class ‘torch.FooStorage’ is not known"),
        ("tensor_key_traversal.pt", "storage ‘../../../../../../etc/passwd’ is named, but the archive has no entry"),
        ("tensor_negative_stride.pt", "runs backwards"),
        ("tensor_offset_overflow.pt", "a tensor starts at element 9223372036854775806 of a storage that has 4"),
        ("tensor_rebuild_args.pt", "a tensor is not made of storage, offset, size and strides"),
        ("tensor_size_overflow.pt", "has more elements than can be counted"),
        ("tensor_storage_short.pt", "storage ‘0’ is said to have 4000 bytes, but has 16"),
        ("zip_bomb_storage.pt", "it is compressed"),
        ("zip_deflated_ok.pt", "it is compressed"),
        ("zip_duplicate_pkl.pt", "two entries of the archive are named"),
        ("zip_entry_count_wrong.pt", "the archive's end says 65534 entries"),
        ("zip_entry_shrunk.pt", "storage ‘0’ is said to have 432 bytes, but has 8"),
        ("zip_missing_storage.pt", "the archive has no entry for it"),
        ("zip_no_pkl.pt", "a zip archive without the entry data.pkl"),
        ("zip_size_beyond_file.pt", "go beyond the archive's"),
        ("zip_truncated_half.pt", "the archive's directory is missing"),
    ]

    /// Files that hold inert values like any other: what a converter makes of them is its matter.
    static let read = [
        "anchors_inf.pt", "base_valid.pt", "cycle_list.pt", "cycle_module.pt", "exec_builtin_eval.pt",
        "exec_getattr_import.pt", "exec_inst_opcode.pt", "exec_legacy_main_pickle.pt",
        "exec_nested_load_from_bytes.pt", "exec_newobj_popen.pt", "exec_reduce_ex_model_value.pt",
        "exec_reduce_os_system.pt", "exec_torch_prefixed_dotted.pt", "graph_f_out_of_range.pt",
        "graph_f_very_negative.pt", "graph_groups_zero.pt", "graph_nc_huge.pt", "graph_weight_shape.pt",
        "laughs_memo_lists.pt", "memo_huge_index.pt", "model_key_missing.pt", "names_nasty.pt", "root_is_tensor.pt",
        "state_dict_only.pt", "tensor_expand_bomb.pt", "unknown_layer_name.pt",
    ]

    private func path(_ file: String) throws -> String { try SharedFolder.path("reference/hostile/\(file)") }

    @Test(arguments: refused)
    func refuses(file: String, message: String) throws {
        let path = try path(file)
        let start = ContinuousClock.now
        let error = #expect(throws: CheckpointError.self) { try Checkpoint(path: path) }
        #expect(ContinuousClock.now - start < .seconds(5))
        let words = try #require(error).description
        #expect(words.contains(message))
        #expect(words.contains(file))
        expectNothingExecuted()
    }

    @Test(arguments: read)
    func readsInert(file: String) throws {
        let start = ContinuousClock.now
        let checkpoint = try Checkpoint(path: path(file))
        var visited = 0
        checkpoint.root.forEachDescendant { value in
            visited += 1
            // A view that repeats one number is refused; all others are read.
            _ = try? value.tensor?.floats()
            #expect(value.description.unicodeScalars.count < 400)
        }
        #expect(visited <= checkpoint.valueCount)
        #expect(ContinuousClock.now - start < .seconds(5))
        expectNothingExecuted()
    }

    @Test func coversEveryFile() throws {
        let folder = try #require(SharedFolder.url).appendingPathComponent("reference/hostile")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".pt") }
        #expect(Set(files) == Set(Self.refused.map(\.file) + Self.read))
    }

    @Test func findsCycles() throws {
        for file in ["cycle_list.pt", "cycle_module.pt"] {
            let root = try Checkpoint(path: path(file)).root
            let error = #expect(throws: CheckpointError.self) { try root.checkNesting(atMost: 200) }
            #expect(try #require(error).description.contains("contains itself"))
        }
        try Checkpoint(path: path("base_valid.pt")).root.checkNesting(atMost: 200)
    }

    @Test func refusesToRepeatFourNumbers() throws {
        let tensor = try #require(Checkpoint(path: path("tensor_expand_bomb.pt")).root["model"]?["w"]?.tensor)
        #expect(tensor.count == 10_000_000_000)
        let error = #expect(throws: CheckpointError.self) { try tensor.floats() }
        #expect(try #require(error).description.contains("it repeats 4 stored elements until they are 10000000000"))
    }

    @Test(
        arguments: [
            ("exec_reduce_os_system.pt", "os", "system"), ("exec_builtin_eval.pt", "__builtin__", "eval"),
            ("exec_inst_opcode.pt", "os", "system"), ("exec_newobj_popen.pt", "subprocess", "Popen"),
            ("exec_torch_prefixed_dotted.pt", "torch", "os.system"),
            ("exec_getattr_import.pt", "__builtin__", "__import__"),
            ("exec_nested_load_from_bytes.pt", "torch.storage", "_load_from_bytes"),
            ("exec_legacy_main_pickle.pt", "os", "system"), ("exec_reduce_ex_model_value.pt", "os", "system"),
        ]
    )
    func namesWhatWantedToRun(file: String, module: String, name: String) throws {
        #expect(try Checkpoint(path: path(file)).names.contains(PickledName(module: module, name: name)))
    }

    private func expectNothingExecuted() {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: "/tmp")) ?? []
        #expect(files.filter { $0.hasPrefix("PWNED-") } == [])
    }
}

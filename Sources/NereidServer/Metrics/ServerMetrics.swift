// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import Metrics
import NereidImaging
import NereidJobs

/// What the server counts. Labels come from bounded sets only: configured models, fixed words, never anything a client writes.
struct ServerMetrics: Sendable {
    private static let help = [
        "nereid_requests_total": "Requests by endpoint and status.",
        "nereid_request_seconds": "Time from a request's head to its answer, by endpoint.",
        "nereid_predictions_total": "Requests for predictions by model and outcome.",
        "nereid_pictures_total": "Pictures answered, by model.",
        "nereid_detections_total": "Detections in them, by model.",
        "nereid_bulk_jobs_total": "Orders of jobs by model and outcome.",
        "nereid_bulk_pictures_total": "Pictures accepted in jobs, by model.",
        "nereid_stage_seconds": "Time of one picture in each stage, and of its whole request, by model.",
        "nereid_refusals_total": "Requests refused, by reason.",
        "nereid_queue_depth": "Pictures waiting, by model.",
        "nereid_queue_bytes": "Bytes of pictures waiting, by model.",
        "nereid_jobs_running": "Pictures being decoded or run, by model.",
        "nereid_sessions_busy": "Runs of a model that proceed at this moment.",
        "nereid_session_instances": "Runs of a model that may proceed at the same time.",
        "nereid_workers": "Workers that serve a model, as they say themselves.",
        "nereid_model_ready": "Whether a model answers requests (1) or not (0).",
        "nereid_model_broken": "Whether a model's file as it is now can't be loaded (1) or can (0).",
        "nereid_models_broken": "Files of models that can't be loaded as they are now.",
        "nereid_ready": "Whether the process wants requests (1, also when degraded) or not (0), as /health/ready says.",
        "nereid_job_store_available": "Whether jobs can be read and ordered (1) or not (0).",
        "nereid_job_store_bytes": "Bytes of the files that jobs are kept in.",
        "nereid_job_store_free_bytes": "Bytes that are free on the disk of these files.",
        "nereid_job_store_reserved_bytes": "Bytes set aside on that disk for results and deletions.",
        "nereid_upload_bytes": "Memory held by uploads.",
        "nereid_decode_bytes": "Memory of decoded pictures, of the budget of decode_memory.",
        "nereid_decode_bytes_limit": "The budget of decode_memory.",
        "nereid_decode_running": "Threads of imaging that work.",
        "nereid_decode_waiting": "Pieces of work that wait for a thread of imaging or for memory.",
        "process_resident_memory_bytes": "Resident memory of the process.",
    ]

    private let registry = PrometheusRegistry(help: help)

    /// Counts one request.
    func count(_ record: RequestRecord.Content, status: HTTPResponse.Status, whole: Duration, endpoint: String?) {
        // The router's pattern, not the path: paths are for clients to invent.
        let endpoint = endpoint ?? "other"
        counter("nereid_requests_total", [("endpoint", endpoint), ("status", "\(status.code)")]).increment()
        timer("nereid_request_seconds", [("endpoint", endpoint)]).record(duration: whole)
        if let problem = record.problem { counter("nereid_refusals_total", [("reason", problem.rawValue)]).increment() }
        guard let model = record.model else { return }
        if let order = record.order { return count(order, record, model: model) }
        let outcome = record.problem?.rawValue ?? "ok"
        counter("nereid_predictions_total", [("model", model), ("outcome", outcome)]).increment()
        counter("nereid_pictures_total", [("model", model)]).increment(by: record.timings.count)
        counter("nereid_detections_total", [("model", model)]).increment(by: record.detections)
        for timing in record.timings {
            let stages = [
                ("queue", timing.queue), ("decode", timing.decode), ("inference", timing.inference),
                ("postprocess", timing.postprocessing),
            ]
            for (stage, duration) in stages {
                timer("nereid_stage_seconds", [("model", model), ("stage", stage)]).record(duration: duration)
            }
        }
        if !record.timings.isEmpty {
            timer("nereid_stage_seconds", [("model", model), ("stage", "whole")]).record(duration: whole)
        }
    }

    private func count(_ order: RequestRecord.Order, _ record: RequestRecord.Content, model: String) {
        let outcome = record.problem?.rawValue ?? (order == .repeated ? "repeated" : "ok")
        counter("nereid_bulk_jobs_total", [("model", model), ("outcome", outcome)]).increment()
        counter("nereid_bulk_pictures_total", [("model", model)]).increment(by: record.pictures)
    }

    /// Everything counted, and how things stand at this moment, as Prometheus text.
    func text(
        models: [ModelEntry],
        load: (String) -> QueueLoad,
        uploads: UploadMemory? = nil,
        readiness: ReadinessReport? = nil,
        jobs: BulkStorage? = nil,
        imaging: ImagingLoad? = nil
    ) -> String {
        // What only holds now is gathered anew each time, so that a model that has gone leaves nothing behind.
        let now = PrometheusRegistry(help: Self.help)
        func set(_ label: String, _ dimensions: [(String, String)], _ value: Int) {
            Meter(label: label, dimensions: dimensions, factory: now).set(value)
        }
        for entry in models {
            let model = [("model", entry.name)]
            let load = load(entry.name)
            set("nereid_queue_depth", model, load.waiting)
            set("nereid_queue_bytes", model, load.waitingBytes)
            set("nereid_jobs_running", model, load.running)
            switch entry {
            case .local(let status):
                let session = status.model?.vision.session
                set("nereid_sessions_busy", model, session?.busyInstances ?? 0)
                set("nereid_session_instances", model, session?.instances ?? 0)
                set("nereid_model_broken", model, status.failure == nil ? 0 : 1)
            case .remote(let remote):
                set("nereid_workers", model, remote.workers.count)
                set("nereid_session_instances", model, remote.workers.reduce(0) { $0 + $1.instances })
            }
            set("nereid_model_ready", model, entry.isReady ? 1 : 0)
        }
        if let readiness {
            set("nereid_ready", [], readiness.state == .notReady ? 0 : 1)
            set("nereid_models_broken", [], readiness.broken.count)
        }
        if let uploads { set("nereid_upload_bytes", [], uploads.byteCount) }
        if let imaging {
            set("nereid_decode_bytes", [], imaging.bytes)
            set("nereid_decode_bytes_limit", [], imaging.mostBytes)
            set("nereid_decode_running", [], imaging.running)
            set("nereid_decode_waiting", [], imaging.waiting)
        }
        if let jobs {
            set("nereid_job_store_available", [], jobs.isAvailable ? 1 : 0)
            if let bytes = jobs.fileBytes { set("nereid_job_store_bytes", [], bytes) }
            if let bytes = jobs.freeBytes { set("nereid_job_store_free_bytes", [], bytes) }
            if let bytes = jobs.reservedBytes { set("nereid_job_store_reserved_bytes", [], bytes) }
        }
        if let bytes = ResidentMemory.current { set("process_resident_memory_bytes", [], bytes) }
        return registry.text + now.text
    }

    private func counter(_ label: String, _ dimensions: [(String, String)]) -> Counter {
        Counter(label: label, dimensions: dimensions, factory: registry)
    }

    private func timer(_ label: String, _ dimensions: [(String, String)]) -> Metrics.Timer {
        Metrics.Timer(label: label, dimensions: dimensions, factory: registry)
    }
}

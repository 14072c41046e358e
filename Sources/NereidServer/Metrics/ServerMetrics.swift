// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import Metrics
import NereidJobs
import NereidModels

/// What the server counts. Labels come from bounded sets only: configured models, fixed words, never anything a client writes.
struct ServerMetrics: Sendable {
    private let registry = PrometheusRegistry(help: [
        "nereid_requests_total": "Requests by endpoint and status.",
        "nereid_request_seconds": "Time from a request's head to its answer, by endpoint.",
        "nereid_predictions_total": "Requests for predictions by model and outcome.",
        "nereid_pictures_total": "Pictures answered, by model.",
        "nereid_detections_total": "Detections in them, by model.",
        "nereid_stage_seconds": "Time of one picture in each stage, by model.",
        "nereid_refusals_total": "Requests refused, by reason.",
        "nereid_queue_depth": "Pictures waiting, by model.",
        "nereid_queue_bytes": "Bytes of pictures waiting, by model.",
        "nereid_jobs_running": "Pictures being decoded or run, by model.",
        "nereid_sessions_busy": "Runs of a model that proceed at this moment.",
        "nereid_session_instances": "Runs of a model that may proceed at the same time.",
        "nereid_model_ready": "Whether a model answers requests (1) or not (0).",
        "nereid_upload_bytes": "Memory held by uploads.",
        "process_resident_memory_bytes": "Resident memory of the process.",
    ])

    /// Counts one request.
    func count(_ record: RequestRecord.Content, status: HTTPResponse.Status, whole: Duration, endpoint: String?) {
        // The router's pattern, not the path: paths are for clients to invent.
        let endpoint = endpoint ?? "other"
        counter("nereid_requests_total", [("endpoint", endpoint), ("status", "\(status.code)")]).increment()
        timer("nereid_request_seconds", [("endpoint", endpoint)]).record(duration: whole)
        if let problem = record.problem { counter("nereid_refusals_total", [("reason", problem.rawValue)]).increment() }
        guard let model = record.model else { return }
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
    }

    /// Everything counted, and how things stand at this moment, as Prometheus text.
    func text(models: ModelCatalogue, queue: any JobQueue, uploads: UploadMemory) -> String {
        for status in models.statuses {
            let model = [("model", status.name)]
            let load = queue.load(of: status.name)
            gauge("nereid_queue_depth", model).set(load.waiting)
            gauge("nereid_queue_bytes", model).set(load.waitingBytes)
            gauge("nereid_jobs_running", model).set(load.running)
            gauge("nereid_sessions_busy", model).set(status.model?.vision.session.busyInstances ?? 0)
            gauge("nereid_session_instances", model).set(status.model?.vision.session.instances ?? 0)
            gauge("nereid_model_ready", model).set(status.model == nil ? 0 : 1)
        }
        gauge("nereid_upload_bytes", []).set(uploads.byteCount)
        if let bytes = ResidentMemory.current { gauge("process_resident_memory_bytes", []).set(bytes) }
        return registry.text
    }

    private func counter(_ label: String, _ dimensions: [(String, String)]) -> Counter {
        Counter(label: label, dimensions: dimensions, factory: registry)
    }

    private func timer(_ label: String, _ dimensions: [(String, String)]) -> Metrics.Timer {
        Metrics.Timer(label: label, dimensions: dimensions, factory: registry)
    }

    private func gauge(_ label: String, _ dimensions: [(String, String)]) -> Meter {
        Meter(label: label, dimensions: dimensions, factory: registry)
    }
}

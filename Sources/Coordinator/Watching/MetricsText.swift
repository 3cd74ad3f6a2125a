internal import Coordination

/// The state of a run in Prometheus' text format, version 0.0.4.
enum MetricsText {
  static func make(
    phase: String, fraction: Double, _ counters: RunCounters, _ workers: [WorkerView]
  ) -> String {
    var text = ""
    func add(_ name: String, _ type: String, _ help: String, _ samples: [(String, String)]) {
      text += "# HELP flap_\(name) \(help)\n# TYPE flap_\(name) \(type)\n"
      for (labels, value) in samples { text += "flap_\(name)\(labels) \(value)\n" }
    }
    func counter(_ name: String, _ help: String, _ value: Int) {
      add(name, "counter", help, [("", "\(value)")])
    }
    add(
      "phase_progress_ratio", "gauge", "Share of the phase that is done.",
      [("{phase=\"\(escape(phase))\"}", "\(fraction)")])
    let busy = workers.count { $0.task != nil }
    add(
      "workers", "gauge", "Workers that have joined and are not lost.",
      [("{state=\"busy\"}", "\(busy)"), ("{state=\"idle\"}", "\(workers.count - busy)")])
    counter("worker_joins_total", "Workers that joined.", counters.joins)
    counter("worker_losses_total", "Workers lost: dead, hung or misbehaving.", counters.losses)
    counter("tasks_completed_total", "Tasks whose results are stored.", counters.completed)
    counter("task_retries_total", "Tasks retried on another worker.", counters.retries)
    counter(
      "task_speculations_total", "Speculative executions of stragglers' tasks.",
      counters.speculations)
    counter("duplicate_results_total", "Results received a second time.", counters.duplicates)
    counter("received_bytes_total", "Bytes of results received.", counters.receivedBytes)
    let named = workers.map { worker in
      (
        "{host=\"\(escape(worker.host))\",worker=\"\(escape("\(worker.id)"))\"}", worker
      )
    }
    add(
      "worker_resident_bytes", "gauge", "Anonymous memory of a worker.",
      named.map { ($0.0, "\($0.1.residentBytes)") })
    add(
      "worker_tasks_total", "counter", "Tasks completed by a worker.",
      named.map { ($0.0, "\($0.1.completedTaskCount)") })
    return text
  }

  private static func escape(_ text: String) -> String {
    text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
  }
}

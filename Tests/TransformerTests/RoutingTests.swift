import Checkpoint
import Foundation
import SystemPackage
import Testing
import Transformer

/// How tokens find their experts.
struct RoutingTests {
  /// Rows of many equal scores, and what torch.topk makes of them (`make_topk_golden.py`).
  @Test func tiesFallAsInPyTorch() throws {
    let path = Bundle.module.bundleURL.appending(path: "Golden/topk.safetensors").path
    let file = try SafetensorsFile(path: FilePath(path))
    var rowCount = 0
    for experts in [4, 8, 16, 60, 64, 128, 256] {
      for k in [1, 2, 3, 4, 8, 32] {
        guard let scores = file.tensor("\(experts).\(k).scores")?.float32Values(),
          let chosen = file.tensor("\(experts).\(k).chosen")?.float32Values()
        else { continue }
        for row in 0..<scores.count / experts {
          let values = scores[row * experts..<(row + 1) * experts]
          #expect(
            TiedTop.indices(k, of: values) == chosen[row * k..<(row + 1) * k].map { Int($0) })
          rowCount += 1
        }
      }
    }
    #expect(rowCount > 300)
  }

  private func largest(_ count: Int, of gates: [Float], normalizes: Bool = false) -> [ExpertChoice]
  {
    var gates = gates
    return gates.withUnsafeMutableBufferPointer {
      ExpertChoice.largest(count, of: $0, normalizes: normalizes)
    }
  }

  @Test func gates() {
    let gates: [Float] = [0.125, 0.5, 0.0625, 0.25, 0.0625]
    #expect(
      largest(2, of: gates) == [
        ExpertChoice(expert: 1, gate: 0.5), ExpertChoice(expert: 3, gate: 0.25),
      ])
    #expect(largest(2, of: gates, normalizes: true).map(\.gate) == [0.5 / 0.75, 0.25 / 0.75])
    // All of them, two of which are equal.
    #expect(Set(largest(5, of: gates).map(\.expert)) == Set(0..<5))
    // As torch.topk has it: [6, 5] of eight equal ones.
    #expect(largest(2, of: Array(repeating: 0.125, count: 8)).map(\.expert) == [6, 5])
  }

  @Test func expertsHaveTheirTokensInOrder() {
    let choice = { (expert: Int) in ExpertChoice(expert: expert, gate: Float(expert)) }
    let routing = Routing(
      [(row: 0, [choice(2), choice(0)]), (row: 1, [choice(2)]), (row: 16, [choice(0)])],
      expertCount: 4)
    #expect(routing.visits.map { $0.map(\.row) } == [[0, 16], [], [0, 1], []])
    // From multiples of 16 on; who has no token takes no room.
    #expect(routing.firstRows == [0, 16, 16, 32, 32])
    #expect(routing.byLoad == [0, 2])
    #expect(Routing.rowLimit(tokens: 3, expertCount: 4, countPerToken: 2) >= 32)
  }
}

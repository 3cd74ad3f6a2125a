/// Fields of `config.json` that transformers 5 takes only with a point: its configuration classes check
/// types, and a 0 is no `float` to them.
enum FractionalFields {
  private static let names: Set<String> = [
    "attn_logit_softcapping", "final_logit_softcapping", "initializer_range", "rms_norm_eps",
    "router_aux_loss_coef", "router_jitter_noise",
  ]

  /// The same JSON, with 0.0 for 0 in these.
  ///
  /// - Parameter json: as `JSONValue.formatted()` gives it, a field in a line.
  static func spelledOut(in json: [UInt8]) -> [UInt8] {
    let lines = String(decoding: json, as: UTF8.self).split(
      separator: "\n", omittingEmptySubsequences: false)
    return Array(lines.map(spelledOut).joined(separator: "\n").utf8)
  }

  private static func spelledOut(_ line: Substring) -> String {
    let parts = line.split(separator: "\"", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, names.contains(String(parts[1])), parts[2].hasPrefix(" : ") else {
      return String(line)
    }
    let value = parts[2].dropFirst(3)
    let digits = value.prefix { $0.isASCII && ($0.isNumber || $0 == "-") }
    let rest = value.dropFirst(digits.count)
    guard !digits.isEmpty, rest.isEmpty || rest == "," else { return String(line) }
    return "\(parts[0])\"\(parts[1])\" : \(digits).0\(rest)"
  }
}

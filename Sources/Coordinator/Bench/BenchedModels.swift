/// Rates of one or two models, by rounds: which is measured first changes from round to round, so that
/// a machine that slows down does so for both.
struct BenchedModels<Subject> {
  let model: Subject
  let against: Subject?

  /// - Returns: of the model, and of the other one.
  func measure<Result>(
    rounds: Int, _ measure: (Subject) throws -> Result
  ) rethrows -> (model: [Result], against: [Result]) {
    var results: (model: [Result], against: [Result]) = ([], [])
    for round in 0..<rounds {
      if round % 2 == 0, let against { results.against.append(try measure(against)) }
      results.model.append(try measure(model))
      if round % 2 == 1, let against { results.against.append(try measure(against)) }
    }
    return results
  }

  func map<Other>(_ transform: (Subject) throws -> Other) rethrows -> BenchedModels<Other> {
    BenchedModels<Other>(model: try transform(model), against: try against.map(transform))
  }

  var all: [Subject] { [model] + (against.map { [$0] } ?? []) }
}

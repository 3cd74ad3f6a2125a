public import FlapCore
public import Statistics

extension ModelStatistics {
  /// What takes the places of the experts that a plan replaces, [layer][expert that goes][hidden]; nil
  /// where it replaces none.
  ///
  /// - Throws: ``PruningError/expertOutputsMissing`` where it was not measured.
  /// - Precondition: the plan and the statistics are of one model.
  public func expertMeans(of plan: PruningPlan) throws(PruningError) -> [[[Double]]]? {
    guard plan.replacesExperts else { return nil }
    guard let outputs = self[ExpertOutputs.self], let activity = self[ExpertActivity.self],
      outputs.count == plan.layers.count
    else { throw .expertOutputsMissing }
    return plan.layers.indices.map { layer in
      guard plan.layers[layer].replacesExperts else { return [] }
      return plan.layers[layer].removedExperts.map {
        outputs[layer].mlpDown.mean(ofExpert: $0, activity[layer].mlpDown)
      }
    }
  }
}

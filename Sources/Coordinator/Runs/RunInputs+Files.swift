internal import Checkpoint
internal import Export
internal import FlapCore
internal import Pruning
internal import SystemPackage

/// The files beside the model that a run reads.
extension RunInputs {
  /// - Parameter isNeeded: for the compensation; without it there may be no file.
  /// - Throws: ``UsageError`` when there is none or it is of another model.
  func openStatistics(_ path: FilePath?, isNeeded: Bool) throws -> StatisticsFile? {
    guard let path else {
      guard !isNeeded else {
        throw UsageError(
          "the compensation needs --statistics; leave it out with --compensation none")
      }
      return nil
    }
    let file = try StatisticsFile(path: path)
    try check(file.modelDigest, of: path)
    return file
  }

  /// What takes the places of experts, by a plan; nil where nothing does.
  ///
  /// - Throws: ``UsageError`` where there are no statistics, `PruningError` where they lack it.
  func expertMeans(of plan: PruningPlan, _ file: StatisticsFile?) throws -> [[[Double]]]? {
    guard plan.replacesExperts else { return nil }
    guard let file else {
      throw UsageError("the plan replaces experts by their means, which needs --statistics")
    }
    return try file.statistics.expertMeans(of: plan)
  }

  /// - Parameters:
  ///   - recorded: what a file says of every bit of its model; nil: nothing.
  ///   - found: of this model.
  /// - Throws: ``UsageError`` when they differ.
  func check(full recorded: Digest?, _ found: Digest, of path: FilePath) throws {
    guard let recorded, recorded != found else { return }
    throw UsageError(
      "\(path) was made for other weights than those in \(directory), though their samples are the "
        + "same: one of the copies is damaged; flap-coord inspect \(directory) --verify tells more")
  }

  /// - Throws: ``UsageError`` when a file speaks of another model.
  func check(_ digest: Digest, of path: FilePath) throws {
    guard digest == checkpoint.digest else {
      throw UsageError("\(path) was made for another model than \(directory): calibrate this model")
    }
  }
}

extension RunInputs {
  /// - Parameter statistics: of the same samples; nil: none are used.
  /// - Throws: where the second moments are of another model or of other samples.
  func check(secondMoments path: FilePath, _ statistics: StatisticsFile?) throws {
    let file = try SecondMomentsFolder(path: path)
    try check(file.modelDigest, of: path)
    guard statistics.map({ $0.dataDigest == file.dataDigest }) ?? true else {
      throw UsageError("\(path) was made of other samples than the statistics: make it again")
    }
  }
}

import ArgumentParser

/// What somebody may have meant.
enum Spelling {
  /// The name that differs from a word in the fewest characters, if those are few: one of three.
  static func nearest(to word: String, among names: [String]) -> String? {
    let distances = names.map {
      (name: $0, distance: distance(Array(word.lowercased()), Array($0)))
    }
    guard let best = distances.min(by: { $0.distance < $1.distance }),
      3 * best.distance <= max(word.count, best.name.count)
    else { return nil }
    return best.name
  }

  /// Characters to put in, leave out, change or swap with their neighbours (optimal string alignment).
  static func distance(_ a: [Character], _ b: [Character]) -> Int {
    var rows = [Array(0...b.count)]
    for i in 0..<a.count {
      var row = [i + 1]
      for j in 0..<b.count {
        var least = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
          least = min(least, rows[i - 1][j - 1] + 1)
        }
        row.append(least)
      }
      rows.append(row)
    }
    return rows[a.count][b.count]
  }
}

extension ParsableCommand {
  /// Parses arguments. What is mistyped is told with what may have been meant: without it a
  /// subcommand would be an argument that the default one does not know, and an option the reason why
  /// another one is missing.
  static func parse(asTyped arguments: [String]) throws -> any ParsableCommand {
    let subcommands = configuration.subcommands
    var command = configuration.defaultSubcommand
    if let word = arguments.first, !word.isEmpty, !word.hasPrefix("-"), word != "help" {
      command = subcommands.first { $0._commandName == word }
      guard command != nil else { throw noSubcommand(word, subcommands.map { $0._commandName }) }
    }
    do {
      return try parseAsRoot(arguments)
    } catch {
      guard exitCode(for: error) == .validationFailure, let command else { throw error }
      throw mistypedOption(in: arguments, of: command) ?? error
    }
  }

  private static func noSubcommand(_ word: String, _ names: [String]) -> any Error {
    let advice =
      Spelling.nearest(to: word, among: names).map { "did you mean '\($0)'?" }
      ?? "there are \(names.joined(separator: ", ")); options begin with --"
    return ValidationError("there is no subcommand '\(word)': \(advice)")
  }

  private static func mistypedOption(
    in arguments: [String], of command: any ParsableCommand.Type
  ) -> (any Error)? {
    let names = optionNames(of: command)
    for argument in arguments where argument.hasPrefix("--") {
      let name = String(argument.prefix { $0 != "=" })
      guard !names.contains(name), let nearest = Spelling.nearest(to: name, among: names) else {
        continue
      }
      return ValidationError(
        "\(command._commandName) has no option '\(name)': did you mean '\(nearest)'?")
    }
    return nil
  }

  /// Those that the help names, each at the beginning of a line: `  --ship/--no-ship`, `  -h, --help`.
  private static func optionNames(of command: any ParsableCommand.Type) -> [String] {
    helpMessage(for: command, includeHidden: true).split(separator: "\n").flatMap { line in
      guard line.hasPrefix("  -") else { return [Substring]() }
      return line.split { " ,/".contains($0) }.prefix { $0.hasPrefix("-") }
    }.map(String.init).filter { $0.hasPrefix("--") }
  }
}

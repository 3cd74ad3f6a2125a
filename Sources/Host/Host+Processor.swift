extension Host {
  /// What the first processor calls itself in /proc/cpuinfo; ARM's have no name there.
  public static var processorName: String {
    let named = firstLine(of: "/proc/cpuinfo", beginning: "model name")?
      .drop { $0 == ":" || $0.isWhitespace }
    return named.map(String.init) ?? "a CPU without a name"
  }
}

/// The functions that every template can name.
enum GlobalFunction: String, Hashable, Sendable, CaseIterable {
  case range
  case dict
  case namespace
  case raiseException = "raise_exception"
  case strftimeNow = "strftime_now"
  case lipsum, cycler, joiner
}

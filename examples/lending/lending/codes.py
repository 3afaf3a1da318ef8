"""What the codes of a credit report mean, in the words of the data's description (Wooldridge, `loanapp`)."""

CONSUMER = {
    1: "no slow payment", 2: "one or two slow payments", 3: "more slow payments", 4: "too short a history to say",
    5: "once 60 days late", 6: "once 90 days late",
}  # fmt: skip
MORTGAGE = {1: "no mortgage before", 2: "never late", 3: "one or two late payments", 4: "more late payments"}


def listed(codes: dict[int, str]) -> str:
    """All of them in a sentence, for a form."""
    return ", ".join(f"{code} {words}" for code, words in codes.items()) + "."

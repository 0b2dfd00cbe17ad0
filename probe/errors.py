"""Everything probe raises on purpose. Each message says what was expected, what came, and what to do."""


class ProbeError(Exception):
    """Base of all errors raised by probe.

    >>> from probe import ProbeError
    >>> from probe.attacks import PGD
    >>> try:
    ...     PGD(stepz=3)
    ... except ProbeError as error:
    ...     print(error)
    PGD has no setting 'stepz' (did you mean 'step'?); it has goal, eps, norm, steps, restarts, step, seed
    """


class ShapeError(ProbeError, ValueError):
    """Tensors disagree in shape, dtype or length."""


class RangeError(ProbeError, ValueError):
    """A number lies outside the range that its field or the model allows."""


class DataError(ProbeError, ValueError):
    """Rows, columns, labels or groups are not what was declared."""


class PlanError(ProbeError, ValueError):
    """A plan names something that does not exist or contradicts itself."""


class UnknownMethod(ProbeError, LookupError):
    """No method goes by that name."""


class UnknownSetting(UnknownMethod, PlanError, TypeError):
    """A setting does not exist, was given without its name, or must be given and was not."""


class SettingError(PlanError, RangeError):
    """A setting was given a value of another type, or one outside its limits."""


class Unsupported(ProbeError):
    """The method cannot be applied to this model or these inputs, by its nature."""


class ContractError(ProbeError):
    """A method is, or returned, what its contract forbids, such as NaN or a point outside its ball."""


class UnsafeError(ProbeError):
    """Opening this could run foreign code, so it was not opened."""


class ForwardError(ProbeError):
    """The model under study failed on the inputs that it was given."""


class IntegrityError(ProbeError):
    """A file is not the one that was recorded."""


class ExistsError(ProbeError, FileExistsError):
    """Something is there already and was left as it is."""


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an exception, or one that led to it, says that memory ran out."""
    while error is not None:
        # Torch has an exception of its own for an accelerator, and only words for a processor.
        words = ("can't allocate memory", "out of memory", "bad_alloc") if isinstance(error, RuntimeError) else ()
        if isinstance(error, MemoryError) or any(word in str(error) for word in words):
            return True
        error = error.__cause__ or error.__context__
    return False

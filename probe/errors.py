"""The exceptions of probe. Each message says what was expected, what was found, and what to do."""


class ProbeError(Exception):
    """Base of all errors raised by probe.

    >>> from probe import ProbeError
    >>> from probe.attacks import PGD
    >>> try:
    ...     PGD(stepz=3)
    ... except ProbeError as error:
    ...     print(error)
    PGD has no setting 'stepz' (did you mean 'steps'?); it has goal, eps, norm, steps, restarts, step, seed
    """


class ShapeError(ProbeError, ValueError):
    """Tensors disagree in shape, dtype or length."""


class RangeError(ProbeError, ValueError):
    """A number is outside the range of its field or of the model."""


class DataError(ProbeError, ValueError):
    """Rows, columns, labels or groups are not what was declared."""


class PlanError(ProbeError, ValueError):
    """A plan names something that does not exist or contradicts itself."""


class UnknownMethod(ProbeError, LookupError):
    """There is no method of that name."""


class UnknownSetting(UnknownMethod, PlanError, TypeError):
    """A setting does not exist, was given without its name, or is required and missing."""


class SettingError(PlanError, RangeError):
    """A value of a setting has the wrong type or is outside its limits."""


class Unsupported(ProbeError):
    """The method does not apply to this model or these inputs."""


class ContractError(ProbeError):
    """A method violates its contract, for example by returning NaN or a point outside its ball."""


class UnsafeError(ProbeError):
    """The file was not opened, as it could run foreign code."""


class ForwardError(ProbeError):
    """The model under study failed on the inputs that it was given."""


class IntegrityError(ProbeError):
    """A file differs from the recorded one."""


class ExistsError(ProbeError, FileExistsError):
    """Something exists already and was left unchanged."""


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an exception, or one of its causes, reports that memory ran out."""
    while error is not None:
        # Torch has an exception class for accelerators, but only a message for CPUs.
        words = ("can't allocate memory", "out of memory", "bad_alloc") if isinstance(error, RuntimeError) else ()
        if isinstance(error, MemoryError) or any(word in str(error) for word in words):
            return True
        error = error.__cause__ or error.__context__
    return False

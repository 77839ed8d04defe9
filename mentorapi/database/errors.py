"""The error that a client gets for one of the database or of the driver.

A constraint is recognized by its name, everything else by its SQLSTATE or its exception class.
"""

import asyncpg

from mentorapi import errors

#: What a client is told when a constraint refuses its request.
#: All other constraints are in tests/rules/test_schema.py, which compares them with the schema.
CONSTRAINTS: dict[str, type[errors.ApiError]] = {
    "bookings_no_overlap": errors.SlotTaken,
    "requests_one_pending": errors.DuplicateRequest,
    "reviews_one_per_booking": errors.AlreadyReviewed,
}

#: The caller's row is missing from ``users`` although an earlier request stored it: the database
#: was restored, or the row was deleted by hand. The base handler stores it again.
CALLER_CONSTRAINTS = frozenset(
    {"idempotency_keys_user_fkey", "mentors_user_fkey", "requests_mentee_fkey"}
)

#: The statement lost a deadlock or a serialization conflict. It changed nothing and can run again.
RETRIED = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)

#: After these errors the state of the connection is unknown, or its server cannot write.
CONNECTION_UNUSABLE = (
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,  # includes TimeoutError
)

#: The request and the statement are right; a later attempt may succeed.
_UNAVAILABLE = (
    *CONNECTION_UNUSABLE,
    asyncpg.PostgresConnectionError,  # class 08
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
    asyncpg.InvalidAuthorizationSpecificationError,  # class 28, e.g. the password was changed
    asyncpg.InvalidCatalogNameError,  # no such database, e.g. while a backup is restored
    asyncpg.TransactionRollbackError,  # class 40, includes RETRIED
    asyncpg.InsufficientResourcesError,  # class 53: connections, memory, disk
    asyncpg.ObjectNotInPrerequisiteStateError,  # class 55: locks, a database closed to connections
    asyncpg.OperatorInterventionError,  # class 57: shutdowns, crashes, cancelled statements
    asyncpg.PostgresSystemError,  # class 58
)

#: SQLSTATEs that a value from a client can cause in a correct statement. Every other SQLSTATE of
#: class 22, e.g. a division by zero, is a fault of the statement.
_INVALID_VALUE = frozenset(
    {
        "22000",  # a range with its bounds reversed, or a value that asyncpg cannot encode
        "22001",  # text too long
        "22003",  # number out of range
        "22007",  # not a date, or not a time
        "22008",  # date or time out of range
        "22009",  # offset from UTC out of range
        "22021",  # text that is not UTF-8, or contains NUL
        "22023",  # no such time zone
        "22P02",  # text that is not of the type, such as a UUID
        "22P03",  # the same in binary
        "22P05",  # a character that the encoding of the database lacks
    }
)


def translate(error: BaseException) -> errors.ApiError | errors.UserMissing | None:
    """Return the error for the client, or None for a fault of the service."""
    if isinstance(error, asyncpg.PostgresError):
        # It quotes the refused row, with what users wrote, and errors are logged.
        error.detail = None
        if error.constraint_name in CONSTRAINTS:
            return CONSTRAINTS[error.constraint_name]()
        if error.constraint_name in CALLER_CONSTRAINTS:
            return errors.UserMissing()
        if error.sqlstate in _INVALID_VALUE:
            return errors.BadRequest("A value is out of range or not valid")
    if isinstance(error, _UNAVAILABLE):
        return errors.Unavailable()
    return None

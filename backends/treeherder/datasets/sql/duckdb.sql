-- DuckDB's name for the one function of Spark in these files that it lacks.
CREATE TEMP MACRO array_join(list, separator) AS
    CASE WHEN list IS NOT NULL THEN COALESCE(array_to_string(list, separator), '') END;

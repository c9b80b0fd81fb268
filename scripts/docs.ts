/** Writes every page of docs/ that is made from code; with --check: exit 1 when one is stale. */
import './generate-config-docs.ts';
import './generate-error-docs.ts';

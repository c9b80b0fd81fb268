/** Writes every page and file that is made from something else; with --check: exit 1 when one is stale. */
import './generate-ari-types.ts';
import './generate-config-docs.ts';
import './generate-error-docs.ts';

import tseslint from 'typescript-eslint';

const size = {
  'max-lines': ['warn', { max: 400, skipBlankLines: true, skipComments: true }],
  'max-lines-per-function': ['warn', { max: 60, skipBlankLines: true, skipComments: true }],
  complexity: ['warn', 14],
};
// Time is a parameter: pure modules get a clock or an event time, they never look.
const noClock = {
  'no-restricted-globals': ['error', ...['Date', 'setTimeout', 'setInterval', 'setImmediate', 'performance'].map((name) => ({ name, message: 'time is a parameter here (contracts/clock.ts)' }))],
  'no-restricted-syntax': ['error', { selector: 'ImportDeclaration[source.value=/^(node:)?timers/]', message: 'no timers in a pure module' }],
};
export default tseslint.config(
  { ignores: ['dist/', 'build/', '.runtime/', 'node_modules/', '.tap/', 'coverage/', 'native/', '**/*.cjs', 'src/telephony/asterisk/ari-types.ts'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ['eslint.config.js'] }, tsconfigRootDir: import.meta.dirname } },
    rules: {
      ...size,
      'no-console': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    },
  },
  { files: ['src/turn/**', 'src/dialogue/**', 'src/contracts/**', 'src/engines/**'], rules: noClock },
  { files: ['src/cli/**', 'scripts/**', 'bench/**'], rules: { 'no-console': 'off' } },
  { files: ['test/**', 'bench/**'], rules: { 'max-lines-per-function': 'off', '@typescript-eslint/no-non-null-assertion': 'off', '@typescript-eslint/no-floating-promises': ['error', { allowForKnownSafeCalls: ['test', 't.test'] }] } },
  { files: ['**/*.js', '**/*.mjs'], ...tseslint.configs.disableTypeChecked },
);

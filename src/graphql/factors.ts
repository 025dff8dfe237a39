import { type FactorName, factorNames, factors, fieldOf } from '../factors/index.ts';
import { builder } from './builder.ts';

// What the schema says of factors follows from their registry.

export const MfaFactorType = builder.enumType('MfaFactor', { values: factorNames as readonly [FactorName] });

/** An answer to a login that asks for a second factor. */
export const MfaProofInput = builder.inputType('MfaProof', {
  isOneOf: true,
  fields: (t) =>
    Object.fromEntries(
      factorNames.map((name) => [
        fieldOf(name),
        factors[name].answer === 'CODE' ? t.string() : t.field({ type: 'JSONObject' }),
      ]),
    ),
});

const PasskeyAnswer = builder.inputType('PasskeyAnswer', {
  fields: (t) => ({
    handle: t.string({ required: true }),
    response: t.field({ type: 'JSONObject', required: true }),
  }),
});

/** The fields of the factors in an input that has others too, and whose challenges are named by handles. */
export const handledAnswers = (t: InputFieldBuilder) =>
  Object.fromEntries(
    factorNames.map((name) => [
      fieldOf(name),
      factors[name].answer === 'CODE' ? t.string() : t.field({ type: PasskeyAnswer }),
    ]),
  );

type InputFieldBuilder = PothosSchemaTypes.InputFieldBuilder<
  PothosSchemaTypes.ExtendDefaultTypes<import('./builder.ts').Types>,
  'InputObject'
>;

export { type Answer, GraphQLClient, type Result, readAnswer } from '../../src/testing/client.ts';

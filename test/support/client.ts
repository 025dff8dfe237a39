export { type Answer, GraphQLClient, readAnswer } from '../../src/testing/client.ts';
